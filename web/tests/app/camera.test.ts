import encodeQR from "qr";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CameraError, cameraFault, isSafetyCode, watchCamera } from "../../app/camera.ts";

const OWN = Uint8Array.from({ length: 82 }, (_, index) => index);

describe("a scanned code", () => {
  it("is a safety number's if it begins as ours does, whatever keys follow", () => {
    const theirs = OWN.map((byte, index) => (index < 18 ? byte : 255 - byte));
    expect(isSafetyCode(theirs, OWN)).toBe(true);
    expect(isSafetyCode(OWN, OWN)).toBe(true);
  });

  it.each([
    ["a poster", new TextEncoder().encode("https://example.org/")],
    ["another head", OWN.map((byte, index) => (index === 3 ? 99 : byte))],
    ["one byte more", new Uint8Array([...OWN, 0])],
    ["nothing", new Uint8Array()],
  ])("is passed over if it is %s", (_, scanned) => {
    expect(isSafetyCode(scanned, OWN)).toBe(false);
  });

  it("is none before ours is there", () => {
    expect(isSafetyCode(new Uint8Array(), new Uint8Array())).toBe(false);
  });

  it("keeps every byte on the way through the decoder", async () => {
    const { decodeQR } = await import("qr/decode.js");
    const squares = encodeQR("bytes", "raw", {
      ecc: "low",
      encoding: "byte",
      border: 4,
      textEncoder: () => OWN,
    });
    const side = squares.length * 4;
    const data = new Uint8ClampedArray(side * side * 4).fill(255);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        if (squares[y >> 2]?.[x >> 2] === true) data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
      }
    }
    let seen: Uint8Array | null = null;
    decodeQR({ width: side, height: side, data }, { textDecoder: (bytes) => ((seen = bytes.slice()), "") });
    expect(seen).toEqual(OWN);
  });
});

describe("a camera that does not open", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it.each([
    ["NotAllowedError", "cameraDenied"],
    ["SecurityError", "cameraDenied"],
    ["NotFoundError", "noCamera"],
    ["OverconstrainedError", "noCamera"],
    ["NotReadableError", "cameraFailed"],
    ["AbortError", "cameraFailed"],
    ["", "cameraFailed"],
  ])("with %s is told as %s", async (name, fault) => {
    expect(cameraFault(name)).toBe(fault);
    const refuse = async (): Promise<never> => Promise.reject(new DOMException("", name));
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: refuse } });
    await expect(watchCamera(document.createElement("video"), () => undefined)).rejects.toEqual(
      new CameraError(fault as "noCamera"),
    );
  });

  it("because the page has none is told", async () => {
    vi.stubGlobal("navigator", {});
    const video = document.createElement("video");
    await expect(watchCamera(video, () => undefined)).rejects.toMatchObject({ fault: "noCamera" });
  });
});
