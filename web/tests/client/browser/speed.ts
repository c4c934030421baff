/** A file between two pages, and a bare DataChannel beside it: `npx tsx tests/client/browser/speed.ts [megabytes]`. */

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
    const [plain, ours] = [await bare(one, other), await file(one, mine, other, theirs)];
    const figures = `bare ${plain.toFixed(1)} MB/s, file ${ours.toFixed(1)} MB/s, ratio ${(ours / plain).toFixed(2)}`;
    process.stdout.write(`${figures}\n`);
  }
} finally {
  await stage.close();
}
