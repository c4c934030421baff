"""What a device holds: loaded once, saved whole, and gone after one call."""

import asyncio
import threading
import time

import pytest

from whisp.client.device_state import DeviceState
from whisp.client.errors import LockedError, NotFoundError, NotRegisteredError
from whisp.client.own_account import OwnAccount
from whisp.client.vault import MemoryVault
from whisp.core.identity import AccountKey, PinnedAccount
from whisp.wire.certificate import DeviceKind
from whisp.wire.errors import LocalProtocolError
from whisp.wire.ids import Username

HERE, ELSEWHERE = "https://here.example", "https://elsewhere.example"


class SlowVault(MemoryVault):
    """A vault whose reading and writing wait for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.may_go_on = threading.Event(), threading.Event()

    def load(self) -> bytes | None:
        """Wait, then load."""
        contents = super().load()
        self._wait()
        return contents

    def save(self, contents: bytes) -> None:
        """Wait, then save."""
        self._wait()
        super().save(contents)

    def _wait(self) -> None:
        self.entered.set()
        assert self.may_go_on.wait(5)


def account(origin: str = HERE) -> OwnAccount:
    return OwnAccount.create(origin, Username("mira"), DeviceKind.NATIVE, time.time())


async def saved(origin: str, *, is_confirmed: bool) -> MemoryVault:
    vault = MemoryVault()
    state = DeviceState(vault, origin)
    state.adopt(account(origin).confirmed() if is_confirmed else account(origin))
    await state.save()
    return vault


async def test_account_and_contacts_come_back() -> None:
    vault = await saved(HERE, is_confirmed=True)
    state = DeviceState(vault, HERE)
    with pytest.raises(NotRegisteredError):
        _ = state.account
    await state.load()
    assert (state.account.username, state.account.is_confirmed) == ("mira", True)
    odile = PinnedAccount(AccountKey.generate().public, 1, bytes(32))
    state.book.remember(Username("odile"), odile, 0)
    await state.save()
    again = DeviceState(vault, HERE)
    await again.load()
    assert again.contact(Username("odile")).account == odile.account
    with pytest.raises(NotFoundError):
        again.contact(Username("sefa"))


async def test_an_account_is_bound_to_its_server() -> None:
    vault = await saved(ELSEWHERE, is_confirmed=True)
    with pytest.raises(LocalProtocolError, match=ELSEWHERE):
        await DeviceState(vault, HERE).load()


async def test_an_account_that_reached_no_server_binds_nobody() -> None:
    vault = await saved(ELSEWHERE, is_confirmed=False)
    state = DeviceState(vault, HERE)
    await state.load()
    assert state.known_account is None
    state = DeviceState(vault, ELSEWHERE)
    await state.load()
    assert state.known_account is not None


async def test_pre_keys_live_as_long_as_the_device_keys() -> None:
    state = DeviceState(MemoryVault(), HERE)
    with pytest.raises(LockedError):
        _ = state.prekeys
    first = account()
    state.adopt(first)
    prekeys = state.prekeys
    state.adopt(first.confirmed())
    assert state.prekeys is prekeys
    state.adopt(account())
    assert state.prekeys is not prekeys


async def test_s29_a_wipe_leaves_nothing() -> None:
    vault = await saved(HERE, is_confirmed=True)
    state = DeviceState(vault, HERE)
    await state.load()
    state.book.remember(Username("odile"), PinnedAccount(AccountKey.generate().public, 1, bytes(32)), 0)
    state.wipe()
    assert (state.is_wiped, state.known_account, list(state.book)) == (True, None, [])
    for use in (lambda: state.account, lambda: state.prekeys, vault.load):
        with pytest.raises(LockedError):
            use()
    with pytest.raises(LockedError):
        await state.save()


async def test_s29_a_wipe_during_loading_wins() -> None:
    vault = SlowVault()
    state = DeviceState(vault, HERE)
    loading = asyncio.create_task(state.load())
    await asyncio.to_thread(vault.entered.wait)
    state.wipe()
    vault.may_go_on.set()
    with pytest.raises(LockedError):
        await loading
    assert state.known_account is None


async def test_s29_a_wipe_never_saves_the_emptiness() -> None:
    vault = SlowVault()
    state = DeviceState(vault, HERE)
    state.adopt(account())
    first, second = asyncio.create_task(state.save()), asyncio.create_task(state.save())
    await asyncio.to_thread(vault.entered.wait)
    written: list[bytes] = []
    vault.save = written.append  # type: ignore[assignment,method-assign] # what comes after the one that waits
    state.wipe()
    vault.may_go_on.set()
    with pytest.raises(LockedError):
        await first
    with pytest.raises(LockedError):
        await second
    assert written == []
