import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Client } from "../../client/client.ts";
import type { Conversation } from "../../client/conversation.ts";
import type { HandlePart } from "../../client/file-target.ts";
import { connect, nextOf, person } from "./people.ts";
import { ServerProcess } from "./server-process.ts";

let server: ServerProcess;
let odile: Client;
let sefa: Client;
let mine: Conversation;
let theirs: Conversation;
beforeAll(async () => {
  server = await ServerProcess.start();
  [odile, sefa] = await Promise.all([person(server.origin, "odile"), person(server.origin, "sefa")]);
  [mine, theirs] = await connect(odile, sefa);
}, 30_000);
afterAll(async () => {
  await Promise.all([odile.close(), sefa.close()]);
  await server.stop();
});

/** Bytes that repeat nowhere nearby. */
function content(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8) * 7) & 0xff);
}

/** A file on a disk that keeps what was written, and says how much was written at once. */
class TestHandle implements HandlePart {
  readonly written: Uint8Array[] = [];
  state: "new" | "open" | "closed" | "aborted" = "new";
  failAfter = Infinity;
  delay = 0;

  async createWritable(): ReturnType<HandlePart["createWritable"]> {
    this.state = "open";
    return Promise.resolve({
      write: async (data: Uint8Array): Promise<void> => {
        if (this.delay > 0) await new Promise((resolve) => setTimeout(resolve, this.delay));
        if (this.written.length >= this.failAfter) {
          throw new DOMException("full", "QuotaExceededError");
        }
        this.written.push(data.slice());
      },
      close: async (): Promise<void> => {
        this.state = "closed";
        return Promise.resolve();
      },
      abort: async (): Promise<void> => {
        this.state = "aborted";
        return Promise.resolve();
      },
    });
  }

  get content(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.written));
  }
}

describe("files", () => {
  it.each([0, 1, 65_536, 65_537, 5 * 1024 * 1024 + 3])("carries %i bytes into memory", async (size) => {
    const bytes = content(size);
    const blob = new Blob([bytes], { type: "text/html" });
    const out = await mine.sendFile({ blob, name: "../notes\u202e.txt", mediaType: "text/html" });
    const { file } = await nextOf(theirs, "file-offered");
    expect(file).toMatchObject({ size, mediaType: "text/html", safeName: "_notes.txt" });
    await file.accept("memory");
    const whole = await file.done();
    expect(await out.done()).toBeNull();
    expect(whole?.type).toBe("application/octet-stream");
    const arrived = new Uint8Array((await whole?.arrayBuffer()) ?? new ArrayBuffer());
    expect(Buffer.compare(arrived, bytes)).toBe(0);
    expect(await nextOf(theirs, "file-completed")).toMatchObject({ fileId: out.id, blob: whole });
    expect(await nextOf(mine, "file-completed")).toMatchObject({ fileId: out.id, blob: null });
  });

  it("goes into a file, both ways at once", async () => {
    const bytes = content(2 * 1024 * 1024);
    const parts = { blob: new Blob([bytes]), name: "a.bin", mediaType: "" };
    await Promise.all([mine.sendFile(parts), theirs.sendFile(parts)]);
    const handles = await Promise.all(
      [mine, theirs].map(async (conversation) => {
        const { file } = await nextOf(conversation, "file-offered");
        const handle = new TestHandle();
        await file.accept({ handle });
        expect(await file.done()).toBeNull();
        return handle;
      }),
    );
    for (const handle of handles) {
      expect(handle.state).toBe("closed");
      expect(Buffer.compare(handle.content, bytes)).toBe(0);
      expect(handle.written.every(({ length }) => length <= 1024 * 1024)).toBe(true);
    }
  });

  it("is declined, cancelled by either side, and fails with a full disk, leaving nothing", async () => {
    const parts = { blob: new Blob([content(8 * 1024 * 1024)]), name: "a.bin", mediaType: "" };
    const declined = await mine.sendFile(parts);
    (await nextOf(theirs, "file-offered")).file.decline();
    await expect(declined.done()).rejects.toMatchObject({ fault: "declined" });

    const cancelled = await mine.sendFile(parts);
    const slow = new TestHandle();
    slow.delay = 5;
    const first = (await nextOf(theirs, "file-offered")).file;
    await first.accept({ handle: slow });
    await nextOf(mine, "file-progress");
    cancelled.cancel();
    await expect(first.done()).rejects.toMatchObject({ fault: "peer_cancelled" });
    expect(slow.state).toBe("aborted");

    const unwanted = await mine.sendFile(parts);
    const second = (await nextOf(theirs, "file-offered")).file;
    const other = new TestHandle();
    await second.accept({ handle: other });
    second.cancel();
    await expect(unwanted.done()).rejects.toMatchObject({ fault: "peer_cancelled" });
    expect(other.state).toBe("aborted");

    const tooMuch = await mine.sendFile(parts);
    const third = (await nextOf(theirs, "file-offered")).file;
    const full = new TestHandle();
    full.failAfter = 2;
    await third.accept({ handle: full });
    await expect(third.done()).rejects.toMatchObject({ fault: "disk_full" });
    await expect(tooMuch.done()).rejects.toMatchObject({ fault: "peer_cancelled" });
    expect(full.state).toBe("aborted");
  });

  it("is answered twice when it was asked for twice, and is whole once", async () => {
    const bytes = content(9 * 1024 * 1024);
    const out = await mine.sendFile({ blob: new Blob([bytes]), name: "a.bin", mediaType: "" });
    const { file } = await nextOf(theirs, "file-offered");
    await file.accept("memory");
    for (let times = 0; times < 6; times++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      file.lineBack();
    }
    await nextOf(mine, "file-progress");
    out.requested(0); // from before what was acknowledged: late, and nothing comes of it
    const whole = await file.done();
    await out.done();
    expect(Buffer.compare(new Uint8Array((await whole?.arrayBuffer()) ?? new ArrayBuffer()), bytes)).toBe(0);
  });

  it("ends when a chunk comes twice on a line that never broke", async () => {
    const out = await mine.sendFile({
      blob: new Blob([content(3 * 65_536)]),
      name: "a.bin",
      mediaType: "",
    });
    const { file } = await nextOf(theirs, "file-offered");
    const receive = file.receiveChunk.bind(file);
    file.receiveChunk = (frame: Uint8Array): void => {
      receive(frame);
      receive(frame);
    };
    await file.accept("memory");
    await expect(file.done()).rejects.toMatchObject({ fault: "damaged" });
    await expect(out.done()).rejects.toMatchObject({ fault: "damaged" });
  });

  it("refuses what does not fit into memory, and leaves the offer for a file", async () => {
    // a Blob that claims to be huge, of which nothing is read before somebody asks
    const huge = new Proxy(new Blob([]), {
      get: (blob, name): unknown => (name === "size" ? 300 * 1024 * 1024 : Reflect.get(blob, name)),
    });
    const out = await mine.sendFile({ blob: huge, name: "huge.bin", mediaType: "" });
    const { file } = await nextOf(theirs, "file-offered");
    await expect(file.accept("memory")).rejects.toMatchObject({ fault: "too_large" });
    expect(file.isOver).toBe(false);
    await file.accept({ handle: new TestHandle() });
    await expect(out.done()).rejects.toMatchObject({ fault: "unreadable" });
    await expect(file.done()).rejects.toMatchObject({ fault: "peer_cancelled" });
  });

  it("refuses names and types that are none", async () => {
    const blob = new Blob(["x"]);
    await expect(mine.sendFile({ blob, name: "", mediaType: "" })).rejects.toThrow("without a name");
    await expect(mine.sendFile({ blob, name: "a", mediaType: "ä" })).rejects.toThrow("media type");
  });

  it("moves a large file", async () => {
    const size = 24 * 1024 * 1024;
    const blob = new Blob([content(size)]);
    const began = performance.now();
    const out = await mine.sendFile({ blob, name: "large.bin", mediaType: "" });
    const { file } = await nextOf(theirs, "file-offered");
    let received = 0;
    const handle: HandlePart = {
      createWritable: async () =>
        Promise.resolve({
          write: async (data: Uint8Array): Promise<void> => {
            received += data.length;
            return Promise.resolve();
          },
          close: async () => Promise.resolve(),
          abort: async () => Promise.resolve(),
        }),
    };
    await file.accept({ handle });
    await Promise.all([file.done(), out.done()]);
    const seconds = (performance.now() - began) / 1000;
    expect(received).toBe(size);
    expect(size / 1e6 / seconds).toBeGreaterThan(2); // many times that on any machine; less means it stalled
  }, 30_000);
});
