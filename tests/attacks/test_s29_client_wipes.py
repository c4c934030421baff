"""S-29: after every way a conversation can end, its keys and words are no longer held by the process.

Python cannot promise erased memory (SECURITY.md): what is checked is that nothing reachable holds them.
"""

import asyncio
import gc
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.people import connect, next_of, people, soon

from whisp import Client, Conversation, EndReason, FileOffered, FileProgress, TextReceived

_STRINGS = (bytes, bytearray, str)
_WANTED = (*_STRINGS, tuple, dict, list, frozenset, memoryview)
_BATCH = 10_000

_MARK = "YRNC-92s"  # backwards, so that the test's own constant is not found


def canary() -> str:
    return _MARK[::-1]


def reachable() -> Iterator[bytes | bytearray | str]:
    """Yield every string of bytes or text that a living object holds, a few untracked containers deep."""
    gc.collect()
    holders: list[Any] = gc.get_objects()
    seen = set(map(id, holders))
    for _ in range(6):
        containers: list[Any] = []
        while holders:
            batch = holders[-_BATCH:]
            del holders[-_BATCH:]
            for held in gc.get_referents(*batch):
                if not isinstance(held, _WANTED) or id(held) in seen:
                    continue
                seen.add(id(held))
                if isinstance(held, _STRINGS):
                    yield held
                else:
                    containers.append(held)
        holders = containers


def digests_of(secrets: Any) -> set[bytes]:
    """Return the hashes of all 32-byte strings in nested tuples: the test keeps no copy itself."""
    if isinstance(secrets, bytes | bytearray):
        return {hashlib.sha256(secrets).digest()} if len(secrets) == 32 else set()
    if isinstance(secrets, dict):
        return set().union(*map(digests_of, [*secrets.keys(), *secrets.values()]))
    if isinstance(secrets, tuple | list | set | frozenset):
        return set().union(*map(digests_of, secrets))
    return set()


def key_digests(conversation: Conversation) -> set[bytes]:
    session = conversation._session
    ratchet = session._live().ratchet
    return digests_of(ratchet.snapshot_for_testing()) | {  # type: ignore[attr-defined]  # the real ratchet's
        hashlib.sha256(session.exporter.expose()).digest()
    }


def held(digests: set[bytes]) -> tuple[int, int]:
    """Count the reachable copies of keys with these hashes, and the strings in which the canary stands."""
    text = canary()
    encoded = text.encode()
    keys = words = 0
    for one in reachable():
        if isinstance(one, str):
            words += text in one
        else:
            words += encoded in one
            keys += len(one) == 32 and hashlib.sha256(one).digest() in digests
    return keys, words


async def talk(one: Conversation, two: Conversation, folder: Path) -> None:
    """Say things and move half a file, with the canary in all of it; leave some unread."""
    for number in range(5):
        await one.send_text(f"{canary()} {number}")
        await two.send_text(f"{canary()} {number}")
    for side in (one, two):
        for _ in range(4):
            await next_of(side, TextReceived)
    source = folder / "source"
    source.write_bytes(canary().encode() * 10_000 + os.urandom(40_000_000))
    await one.send_file(source, name=canary())
    while not isinstance(event := await two.receive(), FileOffered):
        pass
    await event.file.accept(folder)
    del event
    await next_of(two, FileProgress)


async def _end(how: str, odile: Client, sefa: Client, one: Conversation, two: Conversation) -> None:
    if how == "hang-up":
        await one.hang_up()
    elif how == "peer-hangs-up":
        await two.hang_up()
    elif how == "lock":
        await odile.lock()
    elif how == "panic":
        odile.panic()
    elif how == "time-out":
        odile._lock_after = 0.01
        odile._touched_at -= 1
        odile._housekeeping = asyncio.create_task(odile._keep_house())
    elif how == "network-loss":
        await odile._connection.stop()
        await sefa._connection.stop()
        odile.clock._offset += 61
        sefa.clock._offset += 61
        one._tick_if_due()
        two._tick_if_due()
    elif how == "close":
        await odile.close()


@pytest.mark.parametrize(
    "how", ["hang-up", "peer-hangs-up", "lock", "panic", "time-out", "network-loss", "close"]
)
async def test_s29_nothing_is_held_after_the_end(how: str, tmp_path: Path) -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        await talk(one, two, tmp_path)
        digests = key_digests(one) | key_digests(two)
        assert len(digests) >= 6
        assert min(held(digests)) > 0  # the control: the search finds what is there
        await _end(how, odile, sefa, one, two)
        await soon(lambda: one.ended is not None and two.ended is not None)
        for side in (one, two):
            while (await side.receive()) != await side.receive():
                pass  # read what was left, up to Ended, which stays
        await asyncio.sleep(0.1)
        assert held(digests) == (0, 0)
        assert [entry.name for entry in tmp_path.iterdir()] == ["source"]
        if how in ("lock", "panic", "time-out"):
            assert one.ended is EndReason.LOCKED


async def test_s29_panic_takes_the_account_keys_too() -> None:
    async with people("odile", "sefa") as (_, (odile, _sefa)):
        account = odile._state.known_account
        assert account is not None
        stored = account.store()
        digests = {hashlib.sha256(stored.seed).digest()}
        prekeys = odile._state._prekeys
        assert prekeys is not None
        assert list(prekeys._pairs())
        del stored
        odile.panic()
        del account
        assert held(digests)[0] == 0
        assert list(prekeys._pairs()) == []
