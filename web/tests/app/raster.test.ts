import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_EDGE, MAX_INLINE_BYTES, rasterOf, readRaster } from "../../app/raster.ts";

const bytes = (...parts: readonly (string | readonly number[])[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part, "latin1")] : [...part])),
  );
const be32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
const le16 = (value: number): number[] => [value & 255, value >>> 8];

const png = (width: number, height: number): Uint8Array<ArrayBuffer> =>
  bytes([0x89], "PNG\r\n\x1a\n", be32(13), "IHDR", be32(width), be32(height), [8, 6, 0, 0, 0]);
const gif = (width: number, height: number): Uint8Array<ArrayBuffer> =>
  bytes("GIF89a", le16(width), le16(height), [0, 0, 0]);
const jpeg = (width: number, height: number): Uint8Array<ArrayBuffer> =>
  bytes([0xff, 0xd8, 0xff, 0xe0, 0, 16], "JFIF\0\0\0\0\0\0\0\0\0\0", [
    0xff,
    0xff,
    0xc0,
    0,
    17,
    8,
    height >> 8,
    height & 255,
    width >> 8,
    width & 255,
    3,
    0,
    0,
  ]);
const webp = {
  lossy: (width: number, height: number) =>
    bytes("RIFF\0\0\0\0WEBPVP8 \0\0\0\0", [0, 0, 0, 0x9d, 1, 0x2a], le16(width), le16(height), [0, 0]),
  lossless: (width: number, height: number) => {
    const bits = (width - 1) | ((height - 1) << 14);
    return bytes(
      "RIFF\0\0\0\0WEBPVP8L\0\0\0\0",
      [0x2f],
      le16(bits & 0xffff),
      le16(bits >>> 16),
      [0, 0, 0, 0, 0],
    );
  },
  extended: (width: number, height: number) =>
    bytes("RIFF\0\0\0\0WEBPVP8X\0\0\0\0", [0, 0, 0, 0], le16(width - 1), [0], le16(height - 1), [0], [0]),
};

describe("a picture", () => {
  it.each([
    ["image/png", png(300, 200)],
    ["image/gif", gif(300, 200)],
    ["image/jpeg", jpeg(300, 200)],
    ["image/webp", webp.lossy(300, 200)],
    ["image/webp", webp.lossless(300, 200)],
    ["image/webp", webp.extended(300, 200)],
  ])("of type %s tells its size", (type, head) => {
    expect(readRaster(head)).toEqual({ type, width: 300, height: 200 });
  });

  it("is shown under the type its bytes have", async () => {
    const shown = await rasterOf(new Blob([png(1, 1)], { type: "text/html" }));
    expect(shown?.content.type).toBe("image/png");
  });
});

describe("s35 what is never drawn", () => {
  it.each([
    ["SVG", bytes('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')],
    ["HTML", bytes("<!doctype html><script>alert(1)</script>")],
    ["HTML after a BOM", bytes([0xef, 0xbb, 0xbf], "<html>")],
    ["PDF", bytes("%PDF-1.7")],
    ["nothing", bytes()],
    ["a PNG without a header", bytes([0x89], "PNG\r\n\x1a\n")],
    ["a JPEG that never says", bytes([0xff, 0xd8, 0xff, 0xda, 0, 2])],
    [
      "a JPEG of endless segments",
      bytes(
        [0xff, 0xd8, 0xff],
        Array.from({ length: 400 }, () => 0xff),
      ),
    ],
  ])("%s", (_, head) => {
    expect(readRaster(head)).toBeNull();
  });

  it.each([
    ["65,535 pixels wide", 65_535, 65_535],
    ["too wide", MAX_EDGE + 1, 1],
    ["too many pixels", 8000, 8000],
    ["of no width", 0, 10],
    ["of no height", 10, 0],
  ])("a picture that is %s", (_, width, height) => {
    expect(readRaster(png(width, height))).toBeNull();
    expect(readRaster(jpeg(width, height))).toBeNull();
    expect(readRaster(gif(width, height))).toBeNull();
  });

  it("a small file that unpacks to gigabytes", async () => {
    const packed = deflateSync(Buffer.alloc(1_000_000), { level: 9 });
    const bomb = new Blob([png(60_000, 60_000), new Uint8Array(packed)]);
    expect(bomb.size).toBeLessThan(5000);
    expect(await rasterOf(bomb)).toBeNull();
  });

  it("a file too large to look at", async () => {
    const large = { size: MAX_INLINE_BYTES + 1, slice: () => expect.unreachable() } as unknown as Blob;
    expect(await rasterOf(large)).toBeNull();
  });

  it("any bytes, without a fault", () => {
    const starts = [png(9, 9), jpeg(9, 9), gif(9, 9), webp.lossy(9, 9), webp.extended(9, 9)];
    fc.assert(
      fc.property(
        fc.constantFrom(...starts),
        fc.nat(40),
        fc.uint8Array({ maxLength: 60 }),
        (start, cut, tail) => {
          const found = readRaster(bytes([...start.slice(0, cut)], [...tail]));
          if (found !== null) expect(found.width * found.height).toBeGreaterThan(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
