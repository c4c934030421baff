/** A file between two pages, and a bare DataChannel beside it: `npx tsx tests/client/browser/speed.ts [megabytes]`. */

import { readdirSync, readFileSync } from "node:fs";

import { ask, connect, run, type Someone, Stage } from "./stage.ts";

const bytes = Number(process.argv[2] ?? "40") * 1e6;
const rounds = Number(process.argv[3] ?? "3");

async function bare(one: Someone, other: Someone): Promise<number> {
  const received = run(other, `bare.receive(${bytes})`);
  const began = performance.now();
  await run(one, `bare.send(${bytes})`);
  await received;
  return bytes / 1e3 / (performance.now() - began);
}

async function file(one: Someone, mine: number, other: Someone, theirs: number): Promise<number> {
  const offered = (await run(one, `send(${mine}, ${bytes})`)) as { id: string };
  await run(other, 'nextOf("file-offered")');
  const completed = run(other, 'nextOf("file-completed").then(() => null)');
  const began = performance.now();
  await ask(other, "acceptFile", theirs, offered.id, "memory");
  await completed;
  return bytes / 1e3 / (performance.now() - began);
}

/** Processor seconds that this browser has used so far, all its processes together. */
function processorSeconds(): number {
  const parents = new Map<string, { parent: string; ticks: number }>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/u.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
        .replace(/^.*\) /su, "")
        .split(" ");
      parents.set(pid, { parent: fields[1] ?? "", ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      continue; // it ended meanwhile
    }
  }
  let ticks = 0;
  for (const [pid, entry] of parents) {
    let above: string | undefined = pid;
    while (above !== undefined && above !== String(process.pid)) above = parents.get(above)?.parent;
    if (above !== undefined && pid !== String(process.pid)) ticks += entry.ticks;
  }
  return ticks / 100;
}

/** Runs one transfer; gives its speed, and what it cost. */
async function measured(transfer: () => Promise<number>): Promise<{ speed: number; cost: number }> {
  const before = processorSeconds();
  const speed = await transfer();
  return { speed, cost: ((processorSeconds() - before) * 1e3) / (bytes / 1e6) };
}

const stage = await Stage.open();
try {
  const [one, other] = [await stage.someone(), await stage.someone()];
  const offer = await run(one, "bare.describe(null)");
  const answer = await run(other, `bare.describe(${JSON.stringify(offer)})`);
  await run(one, `bare.answered(${JSON.stringify(answer)})`);
  const [mine, theirs] = await connect(one, other);
  await run(one, 'nextOf("line-changed")');
  await ask(one, "requestDirect", mine);
  await run(other, 'nextOf("direct-requested")');
  await ask(other, "answerDirect", theirs, true);
  await run(one, 'nextOf("line-changed")');
  for (let round = 0; round < rounds; round++) {
    const plain = await measured(async () => bare(one, other));
    const ours = await measured(async () => file(one, mine, other, theirs));
    const [speeds, costs] = [
      `bare ${plain.speed.toFixed(1)} MB/s, file ${ours.speed.toFixed(1)} MB/s, ratio ${(ours.speed / plain.speed).toFixed(2)}`,
      `processor: ${plain.cost.toFixed(1)} and ${ours.cost.toFixed(1)} ms/MB, ratio ${(plain.cost / ours.cost).toFixed(2)}`,
    ];
    process.stdout.write(`${speeds}; ${costs}\n`);
  }
} finally {
  await stage.close();
}
