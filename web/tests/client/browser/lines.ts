/** Two Chromium pages over TURN and straight, by hand: `npx tsx tests/client/browser/lines.ts` (WHISP_PYTHON). */

import assert from "node:assert/strict";

import { ask, connect, run, type Someone, Stage } from "./stage.ts";

interface Candidates {
  readonly all: readonly string[];
  readonly used: readonly string[];
}

async function talk(one: Someone, mine: number, other: Someone, theirs: number): Promise<void> {
  await ask(one, "sendText", mine, "from one", null);
  await ask(other, "sendText", theirs, "from other", null);
  assert.equal(((await run(other, 'nextOf("text-received")')) as { text: string }).text, "from one");
  assert.equal(((await run(one, 'nextOf("text-received")')) as { text: string }).text, "from other");
}

async function sendFile(from: Someone, call: number, to: Someone, theirs: number): Promise<number> {
  const size = 20_000_000;
  const file = (await run(from, `send(${call}, ${size})`)) as { id: string };
  await run(to, 'nextOf("file-offered")');
  const began = performance.now();
  await ask(to, "acceptFile", theirs, file.id, "memory");
  await run(to, 'nextOf("file-completed")');
  await run(from, 'nextOf("file-completed")');
  return size / 1e6 / ((performance.now() - began) / 1000);
}

async function via(...people: readonly Someone[]): Promise<string[]> {
  const changes = await Promise.all(people.map(async (someone) => run(someone, 'nextOf("line-changed")')));
  return changes.map((change) => {
    const { line, via } = change as { line: string; via: string };
    return `${line} ${via}`;
  });
}

/** A page that shows, on the line, another certificate than it named in the handshake. */
const useAnotherCertificate = `{
  const Original = RTCPeerConnection;
  let other = [];
  void Original.generateCertificate({ name: "ECDSA", namedCurve: "P-256" }).then((made) => (other = [made]));
  globalThis.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      super({ ...configuration, certificates: other });
    }
  };
}`;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const stage = await Stage.open();
try {
  const [one, other] = [await stage.someone(), await stage.someone()];
  const began = performance.now();
  const [mine, theirs] = await connect(one, other);
  assert.deepEqual(await via(one, other), ["relayed turn", "relayed turn"]);
  say(`open after ${Math.round(performance.now() - began)} ms`);
  await talk(one, mine, other, theirs);
  for (const someone of [one, other]) {
    const [candidates] = (await run(someone, "candidates()")) as Candidates[];
    assert.ok(candidates !== undefined);
    assert.deepEqual([...new Set(candidates.all)].sort(), [
      "local-candidate relay",
      "remote-candidate relay",
    ]);
    assert.deepEqual(candidates.used, ["relay", "relay"]);
  }
  say("relay only: getStats knows no other candidate, here or there");
  say(`file over TURN: ${(await sendFile(one, mine, other, theirs)).toFixed(1)} MB/s`);
  say(`file back over TURN: ${(await sendFile(other, theirs, one, mine)).toFixed(1)} MB/s`);

  await ask(one, "requestDirect", mine);
  await run(other, 'nextOf("direct-requested")');
  await ask(other, "answerDirect", theirs, true);
  assert.deepEqual(await via(one, other), ["direct direct", "direct direct"]);
  await talk(one, mine, other, theirs);
  const direct = (await run(one, "candidates()")) as Candidates[];
  say(`direct: ${JSON.stringify(direct.at(-1)?.used)}`);
  say(`file direct: ${(await sendFile(one, mine, other, theirs)).toFixed(1)} MB/s`);
  say(`file back direct: ${(await sendFile(other, theirs, one, mine)).toFixed(1)} MB/s`);

  await ask(other, "answerDirect", theirs, false);
  assert.deepEqual(await via(one, other), ["relayed server", "relayed server"]);
  assert.deepEqual(await via(one, other), ["relayed turn", "relayed turn"]);
  await talk(one, mine, other, theirs);
  say("taken back: TURN again");

  await stage.server.restart();
  await talk(one, mine, other, theirs);
  say("the server was killed and came back: the chat went on");
  await ask(one, "hangUp", mine);
  assert.equal(((await run(other, 'nextOf("ended")')) as { reason: string }).reason, "peer_hung_up");
  const open = await run(other, 'peers.filter((peer) => peer.connectionState !== "closed").length');
  assert.equal(open, 0);
  say("hung up: said so over the DataChannel, and nothing is left open");

  const impostor = await stage.someone(async (context) => {
    await context.addInitScript(useAnotherCertificate);
  });
  await run(one, 'nextOf("ended")'); // of the first call
  await connect(one, impostor);
  const reasons: string[] = [];
  for (const someone of [one, impostor]) {
    reasons.push(((await run(someone, 'nextOf("ended")')) as { reason: string }).reason);
  }
  // whoever sees it first says goodbye, and the other may hear that before it sees for itself
  assert.ok(reasons.includes("tampered"), reasons.join());
  assert.ok(
    reasons.every((reason) => ["tampered", "protocol"].includes(reason)),
    reasons.join(),
  );
  say("another certificate than the handshake's: tampered");
  const states = await run(one, "peers.map((peer) => peer.connectionState).join()");
  assert.match(String(states), /^(?:closed,?)+$/u);
} finally {
  await stage.close();
}
