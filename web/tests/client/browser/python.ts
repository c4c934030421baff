/** A Chromium page and the Python SDK over TURN and straight, by hand: `npx tsx tests/client/browser/python.ts`. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { PYTHON, pythonEnvironment } from "../server-process.ts";
import { ask, run, Stage } from "./stage.ts";

const SCRIPT = fileURLToPath(new URL("python.py", import.meta.url));

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const stage = await Stage.open();
const name = `python-${process.pid}`;
const child = spawn(PYTHON, [SCRIPT, stage.server.origin, name], {
  env: pythonEnvironment(),
  stdio: ["ignore", "pipe", "inherit"],
});
const lines = createInterface(child.stdout);
try {
  await new Promise((resolve) => lines.once("line", resolve));
  lines.on("line", (line) => {
    say(`python: ${line}`);
  });
  const one = await stage.someone();
  const { id } = (await ask(one, "call", name)) as { id: number };

  const talk = async (text: string): Promise<void> => {
    await ask(one, "sendText", id, text, null);
    const { text: answer } = (await run(one, 'nextOf("text-received")')) as { text: string };
    assert.equal(answer, text.toUpperCase());
  };
  const files = async (size: number): Promise<void> => {
    const began = performance.now();
    await run(one, `send(${id}, ${size})`);
    await run(one, 'nextOf("file-completed")');
    const there = performance.now();
    const { file } = (await run(one, 'nextOf("file-offered")')) as { file: { id: string; size: number } };
    assert.equal(file.size, size);
    await ask(one, "acceptFile", id, file.id, "memory");
    await run(one, 'nextOf("file-completed")');
    const [out, back] = [there - began, performance.now() - there];
    say(`   to Python ${(size / 1e3 / out).toFixed(1)} MB/s, back ${(size / 1e3 / back).toFixed(1)} MB/s`);
  };
  const changed = async (expected: string): Promise<void> => {
    const { via } = (await run(one, 'nextOf("line-changed")')) as { via: string };
    assert.equal(via, expected);
  };

  await changed("turn");
  say(`over TURN: ${JSON.stringify(await run(one, "candidates().then(([found]) => found.used)"))}`);
  await talk("over turn");
  await files(5_000_000);
  await ask(one, "requestDirect", id);
  await changed("direct");
  say("straight");
  await talk("straight");
  await files(5_000_000);
  await ask(one, "hangUp", id);
  await new Promise((resolve) => setTimeout(resolve, 500));
} finally {
  child.kill();
  await stage.close();
}
