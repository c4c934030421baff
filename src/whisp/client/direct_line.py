"""Going direct, and only by consent: each side says yes before either shows an address (spec/session.md).

Yes from both → the side with the lower key listens and sends LINE_OFFER with its addresses. The other dials
them; if none answers it listens itself and sends LINE_ANSWER, and the first dials. Without consent nothing
here opens a socket.
"""

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

from whisp.client.events import ConversationEvent, DirectRequested
from whisp.client.people import Member
from whisp.client.transport.direct import DirectTransport
from whisp.client.transport.transport import FrameHandler, Transport
from whisp.core.content import (
    LINE_TOKEN_BYTES,
    MAX_LINE_ADDRESSES,
    Address,
    Content,
    DirectConsent,
    LineAnswer,
    LineOffer,
)
from whisp.core.key_schedule import Secret, expand

__all__ = ["DirectLine", "DirectRequest"]

DIAL_SECONDS: Final = 3.0
"""One round of dialling: addresses that work answer in a fraction of this."""

PROOF_SECONDS: Final = 1.0
"""From a connection to its proofs: a round trip."""

ATTEMPT_SECONDS: Final = 10.0
"""From both consents to a line, or to giving up."""

CONSENT_SECONDS: Final = 60.0
"""How long the one who asked waits for the other person."""

SILENCE_SECONDS: Final = 40.0
"""Two missed life signs: the direct way is dead though nobody said so."""

_LOWEST_PORT: Final = 1024


class DirectKey(Secret):
    """What the proofs of direct connections derive from."""


class _Host(Protocol):
    @property
    def own(self) -> Member: ...

    @property
    def members(self) -> tuple[Member, ...]: ...

    @property
    def may_use_loopback(self) -> bool: ...

    def send_soon(self, content: Content) -> None: ...

    def tell(self, event: ConversationEvent) -> None: ...

    def direct_opened(self, transport: Transport) -> FrameHandler: ...

    def direct_closed(self) -> None: ...


class DirectRequest:
    """The peer's question whether both sides may learn each other's address."""

    def __init__(self, answer: Callable[[bool], None]) -> None:
        self._answer: Callable[[bool], None] | None = answer

    async def accept(self) -> None:
        """Allow a direct line for this conversation; `LineChanged(DIRECT)` follows if it comes about."""
        self._say(True)

    async def refuse(self) -> None:
        """Stay on the relay. This side's address was never shown."""
        self._say(False)

    def _say(self, allowed: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(allowed)


class DirectLine:
    """The direct half of one conversation.

    Args:
        host: the conversation.
        exporter: the session's exporter, 32 bytes.
        allowed: consent without asking.
    """

    def __init__(self, host: _Host, exporter: bytes, *, allowed: bool) -> None:
        self._host = host
        self._key = DirectKey(expand(exporter, "direct", b"", 32))
        self._allowed = allowed
        self._own_consent = False
        self._peer_consent = False
        self._outcome: asyncio.Future[bool] | None = None
        self._token: bytes | None = None
        self._listeners: list[asyncio.Server] = []
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._connected = asyncio.Event()
        self.transport: DirectTransport | None = None
        """The direct connection, None while there is none."""

    async def request(self) -> bool:
        """Consent, ask the peer to, and wait; say whether there is a direct line."""
        if self.transport is not None:
            return True
        self.consent()
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(CONSENT_SECONDS):
                return await asyncio.shield(self._outcome)
        except TimeoutError:
            self._give_up()
            return False

    def consent(self) -> None:
        """Say yes, once; if the peer has said so too, the attempt begins."""
        if self._is_closed:
            return
        if not self._own_consent:
            self._own_consent = True
            self._host.send_soon(DirectConsent(True))
        self._begin_if_agreed()

    def receive(self, content: DirectConsent | LineOffer | LineAnswer) -> None:
        """Take what the peer says about the direct line."""
        match content:
            case DirectConsent(allowed=True):
                self._peer_consent = True
                if self._own_consent or self._allowed:
                    self.consent()
                else:
                    self._host.tell(DirectRequested(DirectRequest(self._answer)))
            case DirectConsent():
                self._withdraw()
            case LineOffer() if self._is_agreed and self._token is None and not self._is_offering:
                self._token = content.token
                self._start(self._dial_then_listen(content.addresses))
            case LineAnswer() if self._is_agreed and self._token == content.token and self._is_offering:
                self._start(self._dial_back(content.addresses))
            case _:
                pass  # no consent, or of an attempt that is over

    def close(self) -> None:
        """The conversation is over."""
        self._is_closed = True
        self._key.wipe()
        self._reset()
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()

    @property
    def _is_agreed(self) -> bool:
        return self._own_consent and self._peer_consent and self.transport is None and not self._is_closed

    @property
    def _is_offering(self) -> bool:
        own, peer = self._host.own, self._host.members[0]
        return (own.account, own.device) < (peer.account, peer.device)

    def _answer(self, allowed: bool) -> None:
        if allowed:
            self.consent()
        else:
            self._peer_consent = False
            self._host.send_soon(DirectConsent(False))

    def _begin_if_agreed(self) -> None:
        if self._is_agreed and self._token is None and self._is_offering:
            self._token = os.urandom(LINE_TOKEN_BYTES)
            self._start(self._offer())

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
        self._give_up()

    async def _offer(self) -> bool:
        assert self._token is not None
        self._host.send_soon(LineOffer(self._token, await self._listen()))
        await asyncio.sleep(ATTEMPT_SECONDS)  # ends when a connection does, or with LINE_ANSWER
        return False

    async def _dial_then_listen(self, addresses: tuple[Address, ...]) -> bool:
        if await self._dial(addresses):
            return True
        assert self._token is not None
        self._host.send_soon(LineAnswer(self._token, await self._listen()))
        await asyncio.sleep(ATTEMPT_SECONDS)
        return False

    async def _dial_back(self, addresses: tuple[Address, ...]) -> bool:
        return bool(addresses) and await self._dial(addresses)

    async def _listen(self) -> tuple[Address, ...]:
        """Listen on this machine's own addresses, each with a port of its own; return them."""
        loop = asyncio.get_running_loop()
        found = []
        for host in _local_addresses(self._host.may_use_loopback)[:MAX_LINE_ADDRESSES]:
            with contextlib.suppress(OSError):
                server = await loop.create_server(
                    lambda: self._connection(is_dialler=False), host, 0, backlog=4
                )
                self._listeners.append(server)
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
            return self._host.may_use_loopback and port >= _LOWEST_PORT
        odd = ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.is_reserved
        return not odd and port >= _LOWEST_PORT

    def _connection(self, *, is_dialler: bool) -> DirectTransport:
        token = self._token or bytes(LINE_TOKEN_BYTES)
        key = expand(self._key.expose(), "direct line", token, 32)
        return DirectTransport(key, token, is_dialler=is_dialler, on_ready=self._opened, on_lost=self._lost)

    def _opened(self, transport: DirectTransport) -> None:
        if not self._is_agreed:
            transport.abort()  # another address was faster
            return
        self.transport = transport
        self._connected.set()
        self._stop_listening()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        receive = self._host.direct_opened(transport)
        transport.deliver_to(receive)
        self._tell_outcome(True)
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
        if transport is not self.transport:
            return
        self.transport = None
        self._reset()
        # First, so that the peer leaves the dead line before it is asked to go on with anything.
        self._host.send_soon(DirectConsent(False))
        self._host.direct_closed()

    def _withdraw(self) -> None:
        """The peer takes its consent back, or saw the direct line break."""
        self._reset()
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.abort()
            self._host.direct_closed()

    def _give_up(self) -> None:
        if self.transport is None and not self._is_closed:
            said_yes = self._own_consent
            self._reset()
            if said_yes:
                self._host.send_soon(DirectConsent(False))

    def _reset(self) -> None:
        self._own_consent = self._peer_consent = False
        self._token = None
        self._stop_listening()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        self._tell_outcome(False)

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _tell_outcome(self, came_about: bool) -> None:
        outcome, self._outcome = self._outcome, None
        if outcome is not None and not outcome.done():
            outcome.set_result(came_about)


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
