"""Staying online: back-off, jitter, and the closes after which a device stays down."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from whisp.client.connection import MAX_BACK_OFF_SECONDS, Connection, back_off
from whisp.client.errors import (
    RateLimitedError,
    ReplacedError,
    RevokedError,
    ServerUnreachableError,
    TransportError,
    UnauthorizedError,
    VersionMismatchError,
)
from whisp.client.events import ConnectionChanged, ConnectionState
from whisp.client.server_socket import SocketClosedError
from whisp.wire.codes import CloseCode


class FakeSocket:
    """Stands in for a socket: open until `end` says otherwise."""

    def __init__(self) -> None:
        self._closed: asyncio.Future[SocketClosedError] = asyncio.get_running_loop().create_future()
        self.sent: list[bytes] = []
        self.is_open = True

    def end(self, code: int | None) -> None:
        self.is_open = False
        self._closed.set_result(SocketClosedError(code, ""))

    async def wait_closed(self) -> SocketClosedError:
        return await asyncio.shield(self._closed)

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    async def close(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False


class Line:
    """A connection whose dials are scripted: each is an error to raise, or None for a new socket."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = list(script)
        self.sockets: list[FakeSocket] = []
        self.changes: list[ConnectionChanged] = []
        self.offline = 0
        self.takes_pre_keys = True
        self.connection = Connection(
            self._dial,
            on_online=self._came,
            on_offline=self._went,
            on_change=self.changes.append,
            is_busy=lambda: True,
        )

    async def _dial(self) -> Any:
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        self.sockets.append(FakeSocket())
        return self.sockets[-1]

    def _came(self, _: object) -> None:
        if self.takes_pre_keys:
            self.connection.confirm()

    def _went(self) -> None:
        self.offline += 1

    @property
    def states(self) -> list[ConnectionState]:
        return [change.state for change in self.changes]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make jitter as short as it can be."""
    monkeypatch.setattr("whisp.client.connection.random.random", lambda: 0.0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("attempt", "longest"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (6, 30.0), (1000, 30.0)]
)
def test_back_off_doubles_up_to_its_ceiling_with_full_jitter(attempt: int, longest: float) -> None:
    assert back_off(attempt, MAX_BACK_OFF_SECONDS, lambda: 1.0) == longest
    assert back_off(attempt, MAX_BACK_OFF_SECONDS, lambda: 0.5) == longest / 2
    assert back_off(attempt, MAX_BACK_OFF_SECONDS, lambda: 0.0) == 0


@pytest.mark.parametrize(
    "error", [ServerUnreachableError(), UnauthorizedError(), VersionMismatchError(), TransportError()]
)
async def test_the_first_attempt_says_what_is_wrong(error: Exception) -> None:
    line = Line(error)
    with pytest.raises(type(error)):
        await line.connection.start()
    assert line.connection.state is ConnectionState.OFFLINE


LOST = [None, 1006, *(CloseCode[name] for name in ("RESTART", "SLOW", "BUSY", "UNAUTHORIZED"))]


@pytest.mark.parametrize("code", LOST)
async def test_a_lost_socket_is_dialled_again(code: int | None) -> None:
    line = Line(None, ServerUnreachableError(), ServerUnreachableError())
    await line.connection.start()
    line.sockets[0].end(code)
    await until(lambda: len(line.sockets) == 2)
    await until(lambda: line.connection.state is ConnectionState.ONLINE)
    assert line.offline == 1
    assert line.states.count(ConnectionState.WAITING) == 3
    assert line.changes[2].reason
    await line.connection.stop()
    assert line.connection.state is ConnectionState.OFFLINE


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (CloseCode.VERSION, VersionMismatchError),
        (CloseCode.REVOKED, RevokedError),
        (CloseCode.REPLACED, ReplacedError),
    ],
)
@pytest.mark.parametrize("when", ["online", "while-reconnecting", "at-first"])
async def test_after_some_closes_it_stays_down(code: int, error: type[Exception], when: str) -> None:
    if when == "at-first":
        line = Line(SocketClosedError(code, ""))
        with pytest.raises(error):
            await line.connection.start()
    else:
        line = Line(None, SocketClosedError(code, "") if when != "online" else None)
        await line.connection.start()
        line.sockets[0].end(code if when == "online" else None)
        await until(lambda: line.connection.state is ConnectionState.OFFLINE)
        assert line.changes[-1].reason == str(error())
    await asyncio.sleep(0.02)
    assert len(line.sockets) <= 1


async def test_it_is_online_only_when_the_server_has_its_pre_keys() -> None:
    line = Line()
    line.takes_pre_keys = False
    starting = asyncio.create_task(line.connection.start())
    await until(lambda: len(line.sockets) == 1)
    await asyncio.sleep(0.02)
    assert line.states == [ConnectionState.CONNECTING]
    assert line.connection.send(b"of a held call")
    line.connection.confirm()
    await starting
    assert line.states == [ConnectionState.CONNECTING, ConnectionState.ONLINE]
    line.sockets[0].end(None)
    await until(lambda: len(line.sockets) == 2)
    await asyncio.sleep(0.02)
    assert line.connection.state is ConnectionState.CONNECTING
    line.sockets[1].end(None)  # before it had them: the next one is tried
    line.takes_pre_keys = True
    await until(lambda: line.connection.state is ConnectionState.ONLINE)
    assert (len(line.sockets), line.offline) == (3, 2)
    await line.connection.stop()


@pytest.mark.parametrize("end", ["closed", "silent", "cancelled"])
async def test_a_server_that_does_not_take_the_pre_keys_is_not_one(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if end == "silent":
        monkeypatch.setattr("whisp.client.connection.PUBLISHED_SECONDS", 0.02)
    line = Line()
    line.takes_pre_keys = False
    starting = asyncio.create_task(line.connection.start())
    await until(lambda: len(line.sockets) == 1)
    if end == "closed":
        line.sockets[0].end(CloseCode.RESTART)
    elif end == "cancelled":
        starting.cancel()
    with pytest.raises(asyncio.CancelledError if end == "cancelled" else TransportError):
        await starting
    assert line.states == [ConnectionState.CONNECTING, ConnectionState.OFFLINE]
    assert (line.sockets[0].is_open, line.offline, line.connection.socket) == (False, 1, None)


@pytest.mark.parametrize("error", [UnauthorizedError(), RevokedError(), VersionMismatchError()])
async def test_a_reconnect_that_is_refused_for_good_gives_up(error: Exception) -> None:
    line = Line(None, error)
    await line.connection.start()
    line.sockets[0].end(None)
    await until(lambda: line.connection.state is ConnectionState.OFFLINE)
    assert line.changes[-1].reason == str(error)


async def test_a_server_that_asks_for_patience_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(None, RateLimitedError(0.1))
    await line.connection.start()
    line.sockets[0].end(None)
    await until(lambda: ConnectionState.WAITING in line.states)
    started = asyncio.get_running_loop().time()
    await until(lambda: len(line.sockets) == 2)
    assert asyncio.get_running_loop().time() - started >= 0.09
    await line.connection.stop()


async def test_sending_without_a_socket_says_so() -> None:
    line = Line(None)
    assert not line.connection.send(b"x")
    await line.connection.start()
    assert line.connection.send(b"x")
    assert line.sockets[0].sent == [b"x"]
    line.connection.abort()
    assert not line.connection.send(b"y")
