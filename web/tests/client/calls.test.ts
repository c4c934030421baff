import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BusyError, DeclinedError, NoAnswerError, NotFoundError, StoppedError } from "../../client/errors.ts";
import { LocalProtocolError } from "../../core/errors.ts";
import { connect, newName, nextOf, nextRing, person, soon } from "./people.ts";
import { ServerProcess } from "./server-process.ts";

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start();
}, 30_000);
afterAll(async () => {
  await server.stop();
});

describe("a call between two web clients", () => {
  it("carries texts both ways, delivered and read, and ends for both", async () => {
    const [odile, sefa] = await Promise.all([person(server.origin, "odile"), person(server.origin, "sefa")]);
    const [mine, theirs] = await connect(odile, sefa);
    expect(mine.sessionCode).toBe(theirs.sessionCode);
    const sent = await mine.sendText("hello ☂");
    const got = await nextOf(theirs, "text-received");
    expect(got).toMatchObject({ text: "hello ☂", id: sent.id, sender: { username: odile.username } });
    expect((await nextOf(mine, "delivered")).id).toBe(sent.id);
    theirs.markRead(got.id);
    expect((await nextOf(mine, "read")).id).toBe(sent.id);
    await theirs.setTyping(true);
    expect((await nextOf(mine, "typing")).active).toBe(true);
    await theirs.sendText("hi", { isOwn: false, id: got.id });
    expect((await nextOf(mine, "text-received")).replyTo).toEqual({ isOwn: true, id: sent.id });
    await mine.hangUp();
    for (;;) {
      const event = await theirs.receive();
      if (event.type !== "ended") continue;
      expect(event.reason).toBe("peer_hung_up");
      break;
    }
    await soon(() => odile.conversations.length + sefa.conversations.length === 0);
    await Promise.all([odile.close(), sefa.close()]);
  });

  it("carries edits, reactions and deletions of texts", async () => {
    const [odile, sefa] = await Promise.all([person(server.origin, "odile"), person(server.origin, "sefa")]);
    const [mine, theirs] = await connect(odile, sefa);
    const sent = await mine.sendText("helo");
    const { id } = await nextOf(theirs, "text-received");
    await mine.editText(sent.id, "hello");
    expect(await nextOf(theirs, "text-edited")).toMatchObject({ id, text: "hello" });
    await theirs.react({ isOwn: false, id }, "❤️");
    await theirs.react({ isOwn: false, id }, "");
    expect(await nextOf(mine, "reacted")).toMatchObject({ to: { isOwn: true, id: sent.id }, symbol: "❤️" });
    expect(await nextOf(mine, "reacted")).toMatchObject({ symbol: "" });
    await mine.deleteText(sent.id);
    expect(await nextOf(theirs, "text-deleted")).toMatchObject({ id });
    for (const refused of [
      mine.editText(sent.id, "back"),
      mine.deleteText(sent.id),
      mine.deleteText(99),
      mine.react({ isOwn: true, id: sent.id }, "+1"),
      theirs.editText(id, "not mine"),
    ]) {
      await expect(refused).rejects.toThrow(LocalProtocolError);
    }
    // what a changed client says of texts that are none is told nobody
    await mine.sendContent({ type: "text-edit", number: sent.id, body: "it is back" });
    await mine.sendContent({ type: "text-delete", number: 99 });
    await mine.sendContent({ type: "reaction", to: { author: 2, number: 99 }, symbol: "+1" });
    const last = await mine.sendText("last");
    await expect(theirs.react({ isOwn: false, id: last.id }, "+")).rejects.toThrow(LocalProtocolError);
    const told = [];
    for (;;) {
      const event = await theirs.receive();
      if (event.type.startsWith("text-") || event.type === "reacted") told.push(event.type);
      if (event.type === "text-received") break;
    }
    expect(told).toEqual(["text-received"]);
    await expect(theirs.react({ isOwn: false, id: last.id }, "\u001b")).rejects.toThrow(LocalProtocolError);
    await expect(mine.editText(last.id, "")).rejects.toThrow(LocalProtocolError);
    await mine.hangUp();
    await Promise.all([odile.close(), sefa.close()]);
  });

  it("is declined, busy, unanswered, stopped or nobody's", async () => {
    const [odile, sefa] = await Promise.all([person(server.origin, "odile"), person(server.origin, "sefa")]);
    const declined = odile.call(sefa.username);
    await Promise.all([expect(declined).rejects.toThrow(DeclinedError), (await nextRing(sefa)).decline()]);
    const busy = odile.call(sefa.username);
    await Promise.all([expect(busy).rejects.toThrow(BusyError), (await nextRing(sefa)).decline(true)]);
    const unanswered = odile.call(sefa.username, { timeout: 0.3 });
    const [ring] = await Promise.all([nextRing(sefa), expect(unanswered).rejects.toThrow(NoAnswerError)]);
    expect(await ring.ended()).toBe("cancelled");
    const stop = new AbortController();
    const stopped = odile.call(sefa.username, { signal: stop.signal });
    const other = await nextRing(sefa);
    stop.abort();
    await expect(stopped).rejects.toThrow(StoppedError);
    expect(await other.ended()).toBe("cancelled");
    await expect(odile.call(newName("nobody"))).rejects.toThrow(NotFoundError);
    await Promise.all([odile.close(), sefa.close()]);
  });
});
