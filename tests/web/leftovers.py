"""What a page leaves: everything its origin has stored, what its memory holds, and its profile on disk.

Keys are looked for in every form that bytes are written in. Bytes in the memory of a page are beyond this:
the browser shows a debugger no content of arrays, and what was freed is not erased (SECURITY.md). Whether
anything still holds them is asked by web/tests/client/wipe.test.ts.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import psutil
from playwright.async_api import BrowserContext, CDPSession, Page

__all__ = ["files_with", "forms_of", "kill", "memory_of", "stored_by"]

_DUMP: Final = """async () => {
    const text = async (value) => {
        if (value instanceof CryptoKey) return `CryptoKey ${value.type} ${value.extractable}`;
        if (value instanceof Blob) return text(await value.arrayBuffer());
        if (ArrayBuffer.isView(value)) return text(value.buffer);
        if (value instanceof ArrayBuffer) {
            const hex = Array.from(new Uint8Array(value), (byte) => byte.toString(16).padStart(2, "0"));
            return `${new TextDecoder().decode(value)} ${hex.join("")}`;
        }
        if (Array.isArray(value)) return (await Promise.all(value.map(text))).join(" ");
        if (value !== null && typeof value === "object") {
            const parts = Object.entries(value).map(async ([key, inner]) => `${key}: ${await text(inner)}`);
            return (await Promise.all(parts)).join("; ");
        }
        return String(value);
    };
    const done = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const found = {};
    for (const { name } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(name));
        for (const store of database.objectStoreNames) {
            const part = database.transaction(store).objectStore(store);
            const [keys, values] = await Promise.all([done(part.getAllKeys()), done(part.getAll())]);
            for (let n = 0; n < keys.length; n++)
                found[`indexedDB ${name}/${store}/${await text(keys[n])}`] = await text(values[n]);
        }
        database.close();
    }
    for (const [name, area] of [["localStorage", localStorage], ["sessionStorage", sessionStorage]])
        for (const key of Object.keys(area)) found[`${name} ${key}`] = area.getItem(key);
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys())
            found[`cache ${request.url}`] = await (await cache.match(request)).text();
    }
    const walk = async (folder, path) => {
        for await (const [name, entry] of folder.entries()) {
            if (entry.kind === "directory") await walk(entry, `${path}/${name}`);
            else found[`file ${path}/${name}`] = await text(await entry.getFile());
        }
    };
    await walk(await navigator.storage.getDirectory(), "");
    found["cookie"] = document.cookie;
    return found;
}"""


async def stored_by(page: Page) -> dict[str, str]:
    """Return all that the page's origin has stored in the browser, as text, by its place."""
    found: dict[str, str] = await page.evaluate(_DUMP)
    return found


def forms_of(key: bytes) -> tuple[str, ...]:
    """Return how a key may be written in a text."""
    plain = base64.b64encode(key).decode().rstrip("=")
    return key.hex(), key.hex().upper(), plain, plain.replace("+", "-").replace("/", "_"), str([*key])[1:-1]


def files_with(folder: Path, wanted: Iterable[str | bytes]) -> dict[str | bytes, list[str]]:
    """Return the files below a folder that hold bytes, or a text in UTF-8 or UTF-16, in a name or inside."""
    forms = {
        one: (one.encode(), one.encode("utf-16-le")) if isinstance(one, str) else (one,) for one in wanted
    }
    found: dict[str | bytes, list[str]] = {one: [] for one in forms}
    for path in folder.rglob("*"):
        content = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        for one, written in forms.items():
            if any(form in content for form in written):
                found[one].append(str(path.relative_to(folder)))
    return found


def kill(profile: Path) -> None:
    """Kill the browser that was started with this profile, and nobody else, without a word."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if f"--user-data-dir={profile}" in process.cmdline():
                process.kill()


async def memory_of(context: BrowserContext, page: Page) -> str:
    """Return heap snapshots of a page and its workers, if any live, after collecting garbage, as one text."""
    session = await context.new_cdp_session(page)
    workers: list[str] = []
    session.on("Target.attachedToTarget", lambda event: workers.append(event["sessionId"]))
    await session.send(
        "Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False}
    )
    held = await _held_by(_Direct(session))
    for worker in workers:
        held += await _held_by(_Through(session, worker))
    await session.detach()
    return "\n".join(held)


async def _held_by(target: "_Direct | _Through") -> list[str]:
    chunks: list[str] = []
    target.listen("HeapProfiler.addHeapSnapshotChunk", lambda event: chunks.append(event["chunk"]))
    await target.send("HeapProfiler.enable")
    for _ in range(2):
        await target.send("HeapProfiler.collectGarbage")
    await target.send("HeapProfiler.takeHeapSnapshot")
    strings: list[str] = json.loads("".join(chunks))["strings"]
    return strings


class _Direct:
    """The page itself."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    def listen(self, event: str, heard: Any) -> None:
        self._session.on(event, heard)

    async def send(self, method: str) -> None:
        await self._session.send(method)


class _Through:
    """A worker, spoken to through its page."""

    def __init__(self, session: CDPSession, target: str) -> None:
        self._session = session
        self._target = target
        self._heard: dict[str, Any] = {}
        self._answers: dict[int, asyncio.Future[None]] = {}
        session.on("Target.receivedMessageFromTarget", self._take)

    def listen(self, event: str, heard: Any) -> None:
        self._heard[event] = heard

    async def send(self, method: str) -> None:
        number = len(self._answers) + 1
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = json.dumps({"id": number, "method": method})
        await self._session.send(
            "Target.sendMessageToTarget", {"sessionId": self._target, "message": message}
        )
        async with asyncio.timeout(30):
            await answer

    def _take(self, event: dict[str, Any]) -> None:
        if event["sessionId"] != self._target:
            return
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]].set_result(None)
        elif message["method"] in self._heard:
            self._heard[message["method"]](message["params"])
