"""Tokens: who they speak for, when they end, and that nothing lingers in the cache."""

import asyncio

import pytest

from whisp.server.accounts.records import DeviceRecord
from whisp.server.errors import UnauthorizedError
from whisp.server.gate import tokens as tokens_module
from whisp.server.gate.tokens import Tokens
from whisp.wire.ids import AccountId, DeviceId, Username

ORIGIN = "https://chat.example"
ODILE = DeviceId(b"o" * 16)
RECORD = DeviceRecord(AccountId(bytes(32)), Username("odile"), b"certificate", b"list")


class Desk:
    """Tokens with a clock that stands and a storage that can be made to wait."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.records: dict[DeviceId, DeviceRecord] = {ODILE: RECORD}
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.tokens = Tokens(b"k" * 32, {ORIGIN}, 900, lambda: self.now, self.find)

    async def find(self, device: DeviceId) -> DeviceRecord | None:
        """Return the device as it was when asked."""
        self.asked += 1
        found = self.records.get(device)
        await self.may_answer.wait()
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_storage_is_asked_once(desk: Desk) -> None:
    token = desk.tokens.issue(ODILE, ORIGIN).token
    assert desk.tokens.cached(token) is None
    principal = await desk.tokens.identify(token)
    assert (principal.device, principal.username) == (ODILE, "odile")
    assert desk.tokens.cached(token) == principal
    assert desk.asked == 1


async def test_a_token_ends_with_its_time_cached_or_not(desk: Desk) -> None:
    issued = desk.tokens.issue(ODILE, ORIGIN)
    await desk.tokens.identify(issued.token)
    desk.now = issued.expires_at - 0.1
    assert desk.tokens.cached(issued.token)
    desk.now = issued.expires_at
    assert desk.tokens.cached(issued.token) is None
    with pytest.raises(UnauthorizedError):
        await desk.tokens.identify(issued.token)


async def test_a_token_from_the_future_waits(desk: Desk) -> None:
    token = desk.tokens.issue(ODILE, ORIGIN).token
    desk.now -= 1
    with pytest.raises(UnauthorizedError):
        desk.tokens.verify(token)


async def test_a_revoked_token_is_dead_and_its_neighbour_lives(desk: Desk) -> None:
    dead, alive = desk.tokens.issue(ODILE, ORIGIN).token, desk.tokens.issue(ODILE, ORIGIN).token
    principal = await desk.tokens.identify(dead)
    await desk.tokens.identify(alive)
    desk.tokens.revoke(principal.token_id, principal.expires_at)
    assert desk.tokens.cached(dead) is None
    assert desk.tokens.cached(alive)
    with pytest.raises(UnauthorizedError):
        desk.tokens.verify(dead)
    with pytest.raises(UnauthorizedError):
        await desk.tokens.identify(dead)


async def test_a_forgotten_device_is_asked_for_again(desk: Desk) -> None:
    token = desk.tokens.issue(ODILE, ORIGIN).token
    await desk.tokens.identify(token)
    del desk.records[ODILE]
    desk.tokens.forget(ODILE)
    assert desk.tokens.cached(token) is None
    with pytest.raises(UnauthorizedError):
        await desk.tokens.identify(token)


async def test_what_was_read_before_a_revocation_is_not_cached_after_it(desk: Desk) -> None:
    token = desk.tokens.issue(ODILE, ORIGIN).token
    desk.may_answer.clear()
    asking = asyncio.create_task(desk.tokens.identify(token))
    await asyncio.sleep(0)
    del desk.records[ODILE]
    desk.tokens.forget(ODILE)
    desk.may_answer.set()
    await asking  # this one request may still pass: it was under way
    assert desk.tokens.cached(token) is None


async def test_a_token_revoked_while_storage_is_asked_is_refused(desk: Desk) -> None:
    token = desk.tokens.issue(ODILE, ORIGIN).token
    bearer = desk.tokens.verify(token)
    desk.may_answer.clear()
    asking = asyncio.create_task(desk.tokens.identify(token))
    await asyncio.sleep(0)
    desk.tokens.revoke(bearer.token_id, bearer.expires_at)
    desk.may_answer.set()
    with pytest.raises(UnauthorizedError):
        await asking


async def test_a_sweep_forgets_the_dead_and_nobody_else(desk: Desk) -> None:
    used, left = desk.tokens.issue(ODILE, ORIGIN).token, desk.tokens.issue(ODILE, ORIGIN).token
    await desk.tokens.identify(used)
    logged_out = await desk.tokens.identify(left)
    desk.tokens.revoke(logged_out.token_id, logged_out.expires_at)
    desk.now += 100
    young = desk.tokens.issue(ODILE, ORIGIN).token
    await desk.tokens.identify(young)
    desk.now = logged_out.expires_at - 0.1
    desk.tokens.sweep()
    assert len(desk.tokens) == 3
    desk.now = logged_out.expires_at
    desk.tokens.sweep()
    assert len(desk.tokens) == 1
    assert desk.tokens.cached(young)


async def test_the_cache_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "MAX_CACHED", 2)
    every = [desk.tokens.issue(ODILE, ORIGIN).token for _ in range(3)]
    for token in every:
        await desk.tokens.identify(token)
    assert [desk.tokens.cached(token) is not None for token in every] == [False, True, True]


def test_a_token_does_not_show_itself(desk: Desk) -> None:
    issued = desk.tokens.issue(ODILE, ORIGIN)
    assert issued.token not in repr(issued)
