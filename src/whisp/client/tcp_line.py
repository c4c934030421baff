"""TCP between two terminals, only by consent: each side says yes before it shows an address (spec/lines.md).

Yes from both → the side with the lower key listens and sends LINE_OFFER with its addresses. The other dials
them; if none answers it listens itself and sends LINE_ANSWER, and the first dials. Without consent nothing
here opens a socket.
"""

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final

from whisp.client.transport.direct import DirectTransport
from whisp.core.content import (
    LINE_TOKEN_BYTES,
    MAX_LINE_ADDRESSES,
    Address,
    Content,
    LineAnswer,
    LineOffer,
)
from whisp.core.key_schedule import Secret, expand

if TYPE_CHECKING:
    from whisp.client.lines import Lines

__all__ = ["TcpLine"]

DIAL_SECONDS: Final = 3.0
"""One round of dialling: addresses that work answer in a fraction of this."""

PROOF_SECONDS: Final = 1.0
"""From a connection to its proofs: a round trip."""

ATTEMPT_SECONDS: Final = 10.0
"""From both consents to a line, or to giving up."""

SILENCE_SECONDS: Final = 40.0
"""Two missed life signs: the direct way is dead though nobody said so."""

_LOWEST_PORT: Final = 1024


class DirectKey(Secret):
    """What the proofs of direct connections derive from."""


class TcpLine:
    """The direct line between two terminals.

    Args:
        lines: the conversation's choice of line.
        exporter: the session's exporter, 32 bytes.
    """

    def __init__(self, lines: "Lines", exporter: bytes) -> None:
        self._lines = lines
        self._key = DirectKey(expand(exporter, "direct", b"", 32))
        self._token: bytes | None = None
        self._listeners: list[asyncio.Server] = []
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._connected = asyncio.Event()
        self.transport: DirectTransport | None = None
        """The direct connection, None while there is none."""

    @property
    def is_direct(self) -> bool:
        """Whether a line is open that shows addresses: this one always does."""
        return self.transport is not None

    def attached(self) -> None:
        """The relay stands; a direct line waits for consent."""

    def agreed(self) -> None:
        """Both persons allow it: the offering side begins."""
        if self._is_wanted and self._token is None and self._lines.is_offering:
            self._token = os.urandom(LINE_TOKEN_BYTES)
            self._start(self._offer())

    def receive(self, content: Content) -> None:
        """Take what the peer says about this kind of line."""
        match content:
            case LineOffer() if self._is_wanted and self._token is None and not self._lines.is_offering:
                self._token = content.token
                self._start(self._dial_then_listen(content.addresses))
            case LineAnswer() if self._is_wanted and self._token == content.token and self._lines.is_offering:
                self._start(self._dial_back(content.addresses))
            case _:
                pass  # no consent, of an attempt that is over, or of WebRTC, which two terminals do not speak

    def leave_direct(self) -> None:
        """Consent is gone, or the peer saw the line break."""
        self._reset()
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.abort()
            self._lines.host.line_closed()

    def close(self) -> None:
        """The conversation is over."""
        self._key.wipe()
        self._reset()
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()

    @property
    def _is_wanted(self) -> bool:
        return self._lines.is_agreed and self.transport is None

    def _start(self, attempt: Coroutine[None, None, bool]) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._attempt(attempt), name="whisp direct line")

    async def _attempt(self, attempt: Coroutine[None, None, bool]) -> None:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                if await attempt:
                    return
        except TimeoutError:
            pass
        self._lines.gave_up()

    async def _offer(self) -> bool:
        assert self._token is not None
        self._lines.host.send_soon(LineOffer(self._token, await self._listen()))
        await asyncio.sleep(ATTEMPT_SECONDS)  # ends when a connection does, or with LINE_ANSWER
        return False

    async def _dial_then_listen(self, addresses: tuple[Address, ...]) -> bool:
        if await self._dial(addresses):
            return True
        assert self._token is not None
        self._lines.host.send_soon(LineAnswer(self._token, await self._listen()))
        await asyncio.sleep(ATTEMPT_SECONDS)
        return False

    async def _dial_back(self, addresses: tuple[Address, ...]) -> bool:
        return bool(addresses) and await self._dial(addresses)

    async def _listen(self) -> tuple[Address, ...]:
        """Listen on this machine's own addresses, each with a port of its own; return them."""
        loop = asyncio.get_running_loop()
        found = []
        for host in _local_addresses(self._lines.host.may_use_loopback)[:MAX_LINE_ADDRESSES]:
            with contextlib.suppress(OSError):
                server = await loop.create_server(
                    lambda: self._connection(is_dialler=False), host, 0, backlog=4, start_serving=False
                )
                self._listeners.append(server)  # before it listens: whoever cancels this closes it
                await server.start_serving()
                port = server.sockets[0].getsockname()[1]
                found.append(Address(ipaddress.ip_address(host).packed, port))
        return tuple(found)

    async def _dial(self, addresses: tuple[Address, ...]) -> bool:
        """Dial all addresses at once; say whether one of them is the peer."""
        loop = asyncio.get_running_loop()

        async def dial_one(address: Address) -> None:
            ip = ipaddress.ip_address(address.ip)
            if self._may_dial(ip, address.port):
                with contextlib.suppress(OSError):
                    await loop.create_connection(
                        lambda: self._connection(is_dialler=True), str(ip), address.port
                    )

        if not addresses:
            return False
        self._connected.clear()
        dials = [asyncio.create_task(dial_one(address)) for address in addresses]
        all_dialled = asyncio.create_task(_all_of(dials))
        connected = asyncio.create_task(self._connected.wait())
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                await asyncio.wait((all_dialled, connected), return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(PROOF_SECONDS):
                await connected
        except TimeoutError:
            pass
        finally:
            for task in (all_dialled, connected, *dials):
                task.cancel()
        return self.transport is not None

    def _may_dial(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bool:
        """Refuse addresses that no peer has: a peer must not aim this client at services of its machine."""
        if ip.is_loopback:
            return self._lines.host.may_use_loopback and port >= _LOWEST_PORT
        odd = ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.is_reserved
        return not odd and port >= _LOWEST_PORT

    def _connection(self, *, is_dialler: bool) -> DirectTransport:
        token = self._token or bytes(LINE_TOKEN_BYTES)
        key = expand(self._key.expose(), "direct line", token, 32)
        return DirectTransport(key, token, is_dialler=is_dialler, on_ready=self._opened, on_lost=self._lost)

    def _opened(self, transport: DirectTransport) -> None:
        if not self._is_wanted:
            transport.abort()  # another address was faster
            return
        self.transport = transport
        self._connected.set()
        self._stop_listening()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        transport.deliver_to(self._lines.opened(transport))
        self._watch_silence(transport, transport.bytes_received)

    def _watch_silence(self, transport: DirectTransport, seen: int) -> None:
        def look() -> None:
            if transport is self.transport:
                if transport.bytes_received == seen:
                    transport.abort()
                else:
                    self._watch_silence(transport, transport.bytes_received)

        self._watch = asyncio.get_running_loop().call_later(SILENCE_SECONDS, look)

    def _lost(self, transport: DirectTransport) -> None:
        if transport is self.transport:
            self.transport = None
            self._reset()
            self._lines.lost(was_direct=True)

    def _reset(self) -> None:
        self._token = None
        self._stop_listening()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()


async def _all_of(dials: list[asyncio.Task[None]]) -> bool:
    await asyncio.wait(dials)
    return True


def _local_addresses(with_loopback: bool) -> list[str]:
    """Return this machine's addresses on its way out. Connecting a UDP socket sends nothing."""
    found = ["127.0.0.1"] if with_loopback else []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            address = ipaddress.ip_address(probe.getsockname()[0])
            if not (address.is_loopback or address.is_link_local):
                found.append(str(address))
    return found
