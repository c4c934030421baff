import { createHash } from "node:crypto";

import { expect, test } from "vitest";

import { concat, fromHex, toHex } from "../../core/encoding.ts";
import { DecryptionError, LocalProtocolError, MalformedError, SessionEndedError } from "../../core/errors.ts";
import { asFileId, FileKey, newFileId } from "../../core/file-key.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  FileReceiver,
  FileSender,
  peekFileId,
  WINDOW_CHUNKS,
  WindowFullError,
} from "../../core/file-stream.ts";
import { padme } from "../../core/padding.ts";
import { primitives, vectors } from "../platform.ts";

interface Stream {
  readonly sid: string;
  readonly file_id: string;
  readonly key: string;
  readonly size: number;
  readonly padded_size: number;
  readonly content_name: string;
  readonly chunks: { header: string; bytes: number; sha256: string; frame?: string }[];
}

interface Step {
  readonly chunk: number;
  readonly xor?: [number, number][];
  readonly cut?: number;
  readonly append?: string;
}

const file = vectors("file_stream") as {
  valid: Stream[];
  hostile: { why: string; file: number; promised_size: number; steps: Step[] }[];
};

function contentOf({ content_name: name, size }: Stream): Uint8Array {
  const hash = createHash("shake256", { outputLength: Math.max(size, 1) });
  return new Uint8Array(hash.update(`whisp vectors: ${name}`).digest()).slice(0, size);
}

async function endsOf(
  stream: Stream,
  size = stream.size,
): Promise<{ sender: FileSender; receiver: FileReceiver }> {
  const parts = [primitives, fromHex(stream.sid), asFileId(fromHex(stream.file_id))] as const;
  const key = new FileKey(fromHex(stream.key));
  return {
    sender: await FileSender.create(...parts, key, stream.size),
    receiver: await FileReceiver.create(...parts, key, size),
  };
}

async function framesOf(sender: FileSender, content: Uint8Array): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for (let index = 0; index < sender.count; index++) {
    const start = index * CHUNK_BYTES;
    frames.push(await sender.chunk(index, content.subarray(start, start + sender.contentBytes(index))));
  }
  return frames;
}

test.each(file.valid)("a file of $size bytes as its vector has it", async (stream) => {
  const { sender, receiver } = await endsOf(stream);
  const content = contentOf(stream);
  expect(padme(stream.size)).toBe(stream.padded_size);
  expect([sender.count, chunkCount(stream.size)]).toEqual([stream.chunks.length, stream.chunks.length]);
  const frames = await framesOf(sender, content);
  const opened: Uint8Array[] = [];
  for (const [index, chunk] of stream.chunks.entries()) {
    const frame = frames[index] ?? new Uint8Array();
    expect(toHex(frame.subarray(0, 22))).toBe(chunk.header);
    expect(frame.length).toBe(chunk.bytes);
    expect(createHash("sha256").update(frame).digest("hex")).toBe(chunk.sha256);
    if (chunk.frame !== undefined) expect(toHex(frame)).toBe(chunk.frame);
    expect(toHex(peekFileId(frame))).toBe(stream.file_id);
    opened.push(await receiver.receive(frame));
  }
  expect(toHex(concat(...opened))).toBe(toHex(content));
  expect(receiver.isDone).toBe(true);
});

test("the vectors hold all the hostile deliveries", () => {
  expect(file.hostile.length).toBeGreaterThanOrEqual(20);
});

test.each(file.hostile)("refused: $why", async ({ file: place, promised_size: promised, steps }) => {
  const stream = file.valid[place];
  if (stream === undefined) throw new Error("a delivery of no file");
  const { sender, receiver } = await endsOf(stream, promised);
  const frames = (await framesOf(sender, contentOf(stream))).map((frame) => frame.slice());
  const deliveries = steps.map(({ chunk, xor = [], cut = 0, append = "" }) => {
    const frame = frames[chunk]?.slice() ?? new Uint8Array();
    for (const [offset, value] of xor) {
      const at = offset < 0 ? frame.length + offset : offset;
      frame[at] = (frame[at] ?? 0) ^ value;
    }
    return concat(frame.subarray(0, frame.length - cut), fromHex(append));
  });
  const last = deliveries.pop() ?? new Uint8Array();
  for (const frame of deliveries) await receiver.receive(frame);
  const before = receiver.nextChunk;
  const error: unknown = await receiver.receive(last).catch((refused: unknown) => refused);
  expect(error instanceof MalformedError || error instanceof DecryptionError).toBe(true);
  expect(receiver.nextChunk).toBe(before);
});

async function pair(size: number): Promise<{ sender: FileSender; receiver: FileReceiver }> {
  const parts = [
    primitives,
    primitives.random(16),
    newFileId(primitives),
    FileKey.generate(primitives),
    size,
  ] as const;
  return { sender: await FileSender.create(...parts), receiver: await FileReceiver.create(...parts) };
}

test("s35 a chunk is sealed once: what is asked for again is the very frame, whatever the source says now", async () => {
  const { sender } = await pair(2 * CHUNK_BYTES);
  const first = await sender.chunk(0, new Uint8Array(CHUNK_BYTES));
  expect(await sender.chunk(0, new Uint8Array(CHUNK_BYTES).fill(1))).toEqual(first);
  expect(sender.rewind(0)).toEqual([first]);
  const given = await sender.chunk(0);
  given.fill(0); // whoever got a frame may give its memory away
  expect(sender.rewind(0)).toEqual([first]);
  sender.acknowledge(1);
  await expect(sender.chunk(0, new Uint8Array(CHUNK_BYTES).fill(1))).rejects.toThrow(LocalProtocolError);
  expect(() => sender.rewind(0)).toThrow(MalformedError);
  expect(() => sender.rewind(2)).toThrow(MalformedError);
  expect(sender.rewind(1)).toEqual([]);
});

test("s35 chunks asked for at the same time are sealed in order, each once", async () => {
  const { sender, receiver } = await pair(3 * CHUNK_BYTES);
  const contents = [0, 1, 2].map((value) => new Uint8Array(CHUNK_BYTES).fill(value));
  const again = new Uint8Array(CHUNK_BYTES).fill(9);
  const [first, same, second, third] = await Promise.all([
    sender.chunk(0, contents[0]),
    sender.chunk(0, again),
    sender.chunk(1, contents[1]),
    sender.chunk(2, contents[2]),
  ]);
  expect(same).toEqual(first);
  const opened = await Promise.all([first, second, third].map(async (frame) => receiver.receive(frame)));
  expect(opened.map((chunk) => chunk[7])).toEqual([0, 1, 2]);
});

test("the window closes at 64 and opens with an acknowledgement", async () => {
  const { sender } = await pair((WINDOW_CHUNKS + 2) * CHUNK_BYTES);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let index = 0; index < WINDOW_CHUNKS; index++) await sender.chunk(index, chunk);
  await expect(sender.chunk(WINDOW_CHUNKS, chunk)).rejects.toThrow(WindowFullError);
  expect(sender.rewind(0)).toHaveLength(WINDOW_CHUNKS);
  sender.acknowledge(2);
  await sender.chunk(WINDOW_CHUNKS, chunk);
  expect(sender.rewind(3)).toHaveLength(WINDOW_CHUNKS - 2);
  expect(() => {
    sender.acknowledge(WINDOW_CHUNKS + 2);
  }).toThrow(MalformedError);
  sender.acknowledge(1);
  expect(sender.acknowledged).toBe(3);
});

test("chunks of wrong place or length are our own mistake", async () => {
  const { sender } = await pair(2 * CHUNK_BYTES);
  await expect(sender.chunk(1, new Uint8Array(CHUNK_BYTES))).rejects.toThrow(LocalProtocolError);
  await expect(sender.chunk(0, new Uint8Array(5))).rejects.toThrow(LocalProtocolError);
  const parts = [
    primitives,
    primitives.random(16),
    newFileId(primitives),
    FileKey.generate(primitives),
  ] as const;
  for (const size of [-1, 0.5, 2 ** 48 + 1, NaN]) {
    await expect(FileSender.create(...parts, size)).rejects.toThrow(LocalProtocolError);
  }
});

test("s29 a wiped transfer is over at once, also for a chunk that was under way", async () => {
  const { sender, receiver } = await pair(2 * CHUNK_BYTES);
  const frame = await sender.chunk(0, new Uint8Array(CHUNK_BYTES));
  const pending = [sender.chunk(1, new Uint8Array(CHUNK_BYTES)), receiver.receive(frame)];
  await Promise.resolve();
  sender.wipe();
  receiver.wipe();
  for (const result of await Promise.allSettled(pending)) {
    expect(result).toMatchObject({ status: "rejected", reason: expect.any(SessionEndedError) as unknown });
  }
  expect([sender.nextChunk, receiver.nextChunk]).toEqual([1, 0]);
  expect(() => sender.rewind(0)).toThrow(SessionEndedError);
  await expect(receiver.receive(frame)).rejects.toThrow(SessionEndedError);
  expect(String(sender)).toBe("FileSender(<redacted>)");
});

test("what is no chunk names no file", () => {
  expect(() => peekFileId(new Uint8Array(22))).toThrow(MalformedError);
  expect(() => peekFileId(new Uint8Array(21).fill(0x11))).toThrow(MalformedError);
});

test("a chunk is told to be a repeat by the place it claims, of this very file", async () => {
  const { sender, receiver } = await pair(3 * CHUNK_BYTES);
  const other = await pair(3 * CHUNK_BYTES);
  const chunk = new Uint8Array(CHUNK_BYTES);
  const frames = [await sender.chunk(0, chunk), await sender.chunk(1, chunk)];
  const [first, second] = frames as [Uint8Array, Uint8Array];
  expect(receiver.isRepeat(first)).toBe(false);
  await receiver.receive(first);
  expect(receiver.isRepeat(first)).toBe(true);
  expect(receiver.isRepeat(second)).toBe(false);
  expect(receiver.isRepeat(await other.sender.chunk(0, chunk))).toBe(false);
  expect(receiver.isRepeat(first.subarray(0, 21))).toBe(false);
});
