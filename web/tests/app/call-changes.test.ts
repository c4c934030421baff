import { describe, expect, it } from "vitest";
import { lastOwn } from "../../app/call-changes.ts";
import type { Entry, TextEntry } from "../../app/models.ts";
import { Failure, happen, inCall, NOW, settled, type World } from "./fake-worker.ts";

const log = (world: World): readonly Entry[] => world.at("call").call.log;
const texts = (world: World): readonly TextEntry[] => log(world).filter((entry) => entry.kind === "text");

function hear(
  world: World,
  id: number,
  text: string,
  replyTo: { isOwn: boolean; id: number } | null = null,
): void {
  happen(world, { type: "text-received", id, text, at: NOW, replyTo });
}

async function talk(more: Record<string, unknown> = {}): Promise<World> {
  let id = 0;
  const sendText = () => ({ id: ++id, text: "", at: NOW, replyTo: null });
  const nothing = () => undefined;
  const world = await inCall({ sendText, editText: nothing, deleteText: nothing, react: nothing, ...more });
  world.source.actions.sendText("helo", null);
  await settled();
  hear(world, 1, "hi", { isOwn: true, id: 1 });
  return world;
}

describe("a text that was said", () => {
  it("is edited here and there, in its place and above its answers", async () => {
    const world = await talk();
    const key = lastOwn(log(world))?.key ?? "";
    world.source.actions.editText(key, "hello");
    expect(world.worker.calls("editText").map((args) => args.slice(1))).toEqual([[1, "hello"]]);
    expect(texts(world)).toMatchObject([
      { text: "hello", state: "edited" },
      { text: "hi", quote: { text: "hello" } },
    ]);
    happen(world, { type: "text-edited", id: 1, text: "hi there", at: NOW });
    expect(texts(world)[1]).toMatchObject({ text: "hi there", state: "edited", own: false });
  });

  it("is deleted with everything that repeats it", async () => {
    const world = await talk();
    const [first, second] = texts(world);
    world.source.actions.react(first?.key ?? "", "👍");
    world.source.actions.deleteText(first?.key ?? "");
    happen(world, { type: "text-deleted", id: 1 });
    expect(JSON.stringify(log(world))).not.toMatch(/helo|"hi"|👍/u);
    expect(texts(world)).toMatchObject([{ state: "deleted" }, { state: "deleted", quote: null }]);
    expect(world.at("call").call.unread).toBe(0);
    // it is final
    for (const entry of [first, second]) {
      world.source.actions.editText(entry?.key ?? "", "back");
      world.source.actions.react(entry?.key ?? "", "👍");
      world.source.actions.sendText("about it", entry?.key ?? null);
    }
    await settled();
    happen(world, { type: "text-edited", id: 1, text: "back", at: NOW });
    happen(world, { type: "reacted", to: { isOwn: true, id: 1 }, symbol: "👍" });
    expect(texts(world).slice(0, 2)).toMatchObject([{ text: "" }, { text: "" }]);
    expect(texts(world).every((entry) => entry.quote === null)).toBe(true);
    expect(world.worker.calls("editText")).toHaveLength(0);
  });

  it("carries one reaction of each side, the newest", async () => {
    const world = await talk();
    const [own] = texts(world);
    for (const symbol of ["👍", "❤️"]) happen(world, { type: "reacted", to: { isOwn: true, id: 1 }, symbol });
    world.source.actions.react(own?.key ?? "", "😂");
    expect(texts(world)[0]?.reactions).toEqual({ own: "😂", theirs: "❤️" });
    happen(world, { type: "reacted", to: { isOwn: true, id: 1 }, symbol: "" });
    expect(texts(world)[0]?.reactions).toEqual({ own: "😂", theirs: "" });
    happen(world, { type: "reacted", to: { isOwn: true, id: 77 }, symbol: "❤️" });
    expect(world.worker.calls("react").map((args) => args.slice(1))).toEqual([
      [{ isOwn: true, id: 1 }, "😂"],
    ]);
  });

  it("cannot be changed by who did not say it, nor before it left", async () => {
    const world = await talk();
    const theirs = texts(world)[1]?.key ?? "";
    world.source.actions.editText(theirs, "mine");
    world.source.actions.deleteText(theirs);
    world.source.actions.sendText("not gone yet", null);
    world.source.actions.deleteText(texts(world)[2]?.key ?? "");
    expect(texts(world).map((entry) => entry.text)).toEqual(["helo", "hi", "not gone yet"]);
    expect(lastOwn(log(world))?.text).toBe("helo");
  });

  it("says when the other side was not told", async () => {
    const world = await talk({
      deleteText: () => {
        throw new Failure("LocalProtocolError");
      },
    });
    world.source.actions.deleteText(texts(world)[0]?.key ?? "");
    await settled();
    expect(world.source.view().notice).not.toBeNull();
  });
});
