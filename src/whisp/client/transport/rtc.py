"""Frames over a WebRTC DataChannel, on aiortc. Importing this loads it: import it when a call needs it.

No description is parsed or written: ICE, DTLS and SCTP are put together from values that the session carried
and from the certificates that the handshake bound. What is used here of aiortc's inside, and why, stands in
docs/decisions/0007-lines.md.
"""

import asyncio
import contextlib
import ipaddress
import logging
import re
import secrets
import string
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, cast

from aioice import Candidate, Connection, TransportPolicy
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsTransport,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcsctptransport import WEBRTC_BINARY
from cryptography.hazmat.primitives import hashes

from whisp.client.rtc_certificate import RtcFailedError, RtcImpostorError, RtcTerms
from whisp.client.transport.transport import FrameHandler
from whisp.core.content import CandidateKind, IceCandidate, RtcPolicy
from whisp.core.errors import HandshakeError
from whisp.core.handshake import verify_fingerprint
from whisp.wire import api
from whisp.wire.limits import MAX_RELAY_PAYLOAD_BYTES

__all__ = ["RtcTransport", "closed"]

CHANNEL_LABEL: Final = "whisp"
CHANNEL_ID: Final = 0
SCTP_PORT: Final = 5000

SILENCE_SECONDS: Final = 10.0
"""A living peer is heard every six seconds at the latest: its consent checks (RFC 7675)."""

GATHER_SECONDS: Final = 4
"""For one TURN server: two round trips, once more if the first packet is lost."""

MAX_TURN_SERVERS: Final = 3
"""Tried one after the other, each by another way: UDP, TCP, TLS."""

MAX_CANDIDATES: Final = 32
"""Of one description; a peer cannot make this client knock on more doors."""

BUFFER_HIGH_BYTES: Final = 512 * 1024
BUFFER_LOW_BYTES: Final = 128 * 1024

MAX_HELD_BYTES: Final = 1024 * 1024
"""Whole frames that wait while reading is paused; then SCTP itself stands still."""

MAX_PARTIAL_BYTES: Final = 4 * 1024 * 1024
"""Of frames that are not whole, or out of order: four times what this side offers to take."""

MAX_DATAGRAMS: Final = 2048
"""That wait for DTLS. More are dropped, as a network drops them."""

FLUSH_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 3.0

_LOWEST_PORT: Final = 1024
_ICE_ALPHABET: Final = string.ascii_letters + string.digits
_KINDS: Final = {
    "host": CandidateKind.HOST,
    "srflx": CandidateKind.SERVER_REFLEXIVE,
    "relay": CandidateKind.RELAYED,
}
_TYPES: Final = {kind: name for name, kind in _KINDS.items()}
_POLICIES: Final = {RtcPolicy.RELAY_ONLY: TransportPolicy.RELAY, RtcPolicy.ALL: TransportPolicy.ALL}
_URL: Final = re.compile(
    r"(?P<scheme>turns?|stun):(?:\[(?P<ip>[0-9a-fA-F:.]+)\]|(?P<name>[^:?\[\]]+))"
    r"(?::(?P<port>\d{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)

for _name in ("aioice", "aiortc"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # they log addresses

_closing: Final[set[asyncio.Task[None]]] = set()


class _Ice(Connection):
    """ICE that drops what nobody reads, and knows when the peer was last heard."""

    def __init__(self, *, with_loopback: bool, **options: Any) -> None:
        super().__init__(**options)
        self._with_loopback = with_loopback
        self.heard_at = asyncio.get_running_loop().time()

    def data_received(self, data: bytes, component: int) -> None:
        """Take a datagram that is not STUN."""
        self.heard_at = asyncio.get_running_loop().time()
        if self._queue.qsize() < MAX_DATAGRAMS:
            super().data_received(data, component)

    def request_received(self, message: Any, addr: tuple[str, int], protocol: Any) -> None:
        """Take a check of the peer's."""
        self.heard_at = asyncio.get_running_loop().time()
        super().request_received(message, addr, protocol)

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = GATHER_SECONDS,  # noqa: ASYNC109 - aioice's
    ) -> list[Candidate]:
        """Gather; on loopback too when the peer may be on this very machine."""
        if self._with_loopback and self._transport_policy is TransportPolicy.ALL:
            addresses = [*addresses, "127.0.0.1"]
        return await super().get_component_candidates(component, addresses, GATHER_SECONDS)


class _Path:
    """What DTLS needs of ICE. The roles are fixed: the offering side controls, and is the DTLS server."""

    def __init__(self, ice: _Ice, role: str) -> None:
        self.role = role
        self.is_broken = False
        self._ice = ice

    async def _recv(self) -> bytes:
        try:
            return await self._ice.recv()
        except ConnectionError:
            self.is_broken = True
            raise

    async def _send(self, data: bytes) -> None:
        await self._ice.send(data)


class _Sctp(RTCSctpTransport):
    """An association whose only stream brings frames, and whose peer is not believed to keep its bounds."""

    def __init__(self, dtls: RTCDtlsTransport, receive: FrameHandler, break_off: Callable[[], None]) -> None:
        super().__init__(dtls, SCTP_PORT)
        self._give = receive
        self._break_off = break_off
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._flowing = asyncio.Event()
        self._flowing.set()

    def pause(self) -> None:
        """Keep frames, close the window as they come, and in the end stop."""
        self._flowing.clear()

    def resume(self) -> None:
        """Hand on what was kept, and open the window."""
        if self._flowing.is_set():
            return
        self._flowing.set()
        while self._held and self._flowing.is_set():
            frame = self._held.popleft()
            self._held_bytes -= len(frame)
            self._advertised_rwnd += len(frame)
            self._give(frame)
        if self._flowing.is_set() and self._last_received_tsn is not None:
            _spawn(self._send_sack())

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if stream_id != CHANNEL_ID or pp_id != WEBRTC_BINARY:
            return  # no other channel was agreed on, and no text
        if len(data) > MAX_RELAY_PAYLOAD_BYTES:
            self._break_off()
        elif self._flowing.is_set():
            self._give(data)
        else:
            self._held.append(data)
            self._held_bytes += len(data)
            self._advertised_rwnd -= len(data)
            if self._held_bytes > MAX_HELD_BYTES:
                await self._flowing.wait()

    async def _handle_data(self, data: bytes) -> None:
        try:
            await super()._handle_data(data)
        except Exception:  # noqa: BLE001 - whatever a packet of the peer's brings about, the line ends of it
            self._break_off()
        if self._advertised_rwnd < -MAX_PARTIAL_BYTES:
            self._break_off()

    async def _send_chunk(self, chunk: Any) -> None:
        with contextlib.suppress(ConnectionError):  # the line is gone, and whoever watches it knows
            await super()._send_chunk(chunk)


class RtcTransport:
    """One attempt at a DataChannel, and the line it becomes.

    Args:
        terms: the certificates of the handshake.
        is_offering: whether this side offered; it controls ICE.
        policy: RELAY_ONLY gathers from a TURN server and nothing else.
        with_loopback: the peer may be on this very machine.
        on_open: called once, when the line stands and before the first frame is handed on.
        on_lost: called once when a line that was open is gone.
    """

    def __init__(
        self,
        terms: RtcTerms,
        *,
        is_offering: bool,
        policy: RtcPolicy,
        with_loopback: bool,
        on_open: Callable[["RtcTransport"], None],
        on_lost: Callable[["RtcTransport"], None],
    ) -> None:
        self.policy = policy
        self.ufrag = "".join(secrets.choice(_ICE_ALPHABET) for _ in range(8))
        self.pwd = "".join(secrets.choice(_ICE_ALPHABET) for _ in range(24))
        self._terms = terms
        self._is_offering = is_offering
        self._with_loopback = with_loopback
        self._on_open = on_open
        self._on_lost = on_lost
        self._ice: _Ice | None = None
        self._gathering: asyncio.Future[None] | None = None
        self._dtls: RTCDtlsTransport | None = None
        self._sctp: _Sctp | None = None
        self._channel: RTCDataChannel | None = None
        self._remote: list[IceCandidate | None] = []
        self._handler: FrameHandler | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writable: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._is_open = False
        self._is_closed = False

    # Coming about

    async def gather(self, given: api.TurnCredentials | None) -> tuple[IceCandidate, ...]:
        """Return this side's candidates; none at all when no TURN server answers and policy asks for one."""
        relays = _relays(given)[:MAX_TURN_SERVERS]
        if self.policy is RtcPolicy.RELAY_ONLY and not relays:
            return ()
        stun = _stun(given) if self.policy is RtcPolicy.ALL else None
        for relay in relays or [{}]:
            ice = self._ice = _Ice(
                with_loopback=self._with_loopback,
                ice_controlling=self._is_offering,
                transport_policy=_POLICIES[self.policy],
                local_username=self.ufrag,
                local_password=self.pwd,
                stun_server=stun,
                **relay,
            )
            self._gathering = asyncio.ensure_future(ice.gather_candidates())
            await asyncio.shield(self._gathering)
            found = tuple(_candidate(local) for local in ice.local_candidates)
            if found or self._is_closed:
                return found
            await ice.close()
        self._ice = None
        return ()

    def add(self, candidates: Iterable[IceCandidate]) -> None:
        """Take candidates of the peer's; the odd ones are passed over, and none means that all have come."""
        given = list(candidates)
        usable = [one for one in given if self._may_knock_at(one)]
        room = MAX_CANDIDATES - sum(one is not None for one in self._remote)
        fresh: list[IceCandidate | None] = [*usable[: max(room, 0)]] if given else [None]
        self._remote += fresh
        if self._dtls is not None:
            _spawn(self._tell_ice(fresh))

    async def connect(self, ufrag: str, pwd: str) -> None:
        """Bring the line about with the peer's description; it is open when this returns.

        Raises:
            RtcImpostorError: somebody answered who does not hold the peer's certificate.
            RtcFailedError: nobody did.
        """
        ice = self._ice
        if ice is None or self._is_closed:
            raise RtcFailedError
        path = _Path(ice, "controlling" if self._is_offering else "controlled")
        certificate = RTCCertificate(self._terms.certificate.key, self._terms.certificate.certificate)
        dtls = self._dtls = RTCDtlsTransport(cast(RTCIceTransport, path), [certificate])
        ice.remote_username, ice.remote_password = ufrag, pwd
        await self._tell_ice(self._remote)
        try:
            await ice.connect()
        except ConnectionError:
            raise RtcFailedError from None
        pairs = self._terms.peer_fingerprint.hex(":").upper()
        await dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", pairs)]))
        if dtls.state != "connected":
            raise RtcFailedError if path.is_broken or self._is_closed else RtcImpostorError
        self._check(dtls)
        self._sctp = sctp = _Sctp(dtls, self._receive, self._lose)
        parameters = RTCDataChannelParameters(label=CHANNEL_LABEL, negotiated=True, id=CHANNEL_ID)
        self._channel = channel = RTCDataChannel(sctp, parameters)
        channel.bufferedAmountLowThreshold = BUFFER_LOW_BYTES
        channel.on("open", self._open)
        channel.on("close", self._lose)
        channel.on("bufferedamountlow", self._room)
        dtls.on("statechange", self._dtls_changed)
        await sctp.start(RTCSctpCapabilities(maxMessageSize=MAX_RELAY_PAYLOAD_BYTES), SCTP_PORT)
        await asyncio.shield(self._opened)

    def _check(self, dtls: RTCDtlsTransport) -> None:
        """Compare once more, by our own code: the certificate of this connection and the handshake's."""
        shown = None if dtls._ssl is None else dtls._ssl.get_peer_certificate(as_cryptography=True)
        presented = b"" if shown is None else shown.fingerprint(hashes.SHA256())
        try:
            verify_fingerprint(self._terms.peer_fingerprint, presented)
        except HandshakeError:
            raise RtcImpostorError from None

    async def _tell_ice(self, candidates: Iterable[IceCandidate | None]) -> None:
        assert self._ice is not None
        for one in candidates:
            with contextlib.suppress(ValueError):  # after the last
                await self._ice.add_remote_candidate(None if one is None else _remote_candidate(one))

    def _may_knock_at(self, one: IceCandidate) -> bool:
        """Refuse addresses that no peer has: a peer must not aim this client at services of its machine."""
        if len(one.address) not in (4, 16):
            return self.policy is RtcPolicy.ALL
        ip = ipaddress.ip_address(one.address)
        if ip.is_loopback:
            return self._with_loopback and one.port >= _LOWEST_PORT
        odd = ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.is_reserved
        is_mapped = isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None
        return not odd and not is_mapped and one.port >= _LOWEST_PORT

    def _open(self) -> None:
        if not self._is_closed and not self._opened.done():
            self._is_open = True
            self._opened.set_result(None)
            self._look()
            self._on_open(self)

    # As a transport

    def deliver_to(self, handler: FrameHandler) -> None:
        """Hand frames to `handler` from now on."""
        self._handler = handler

    def send(self, frame: bytes) -> None:
        """Queue one frame. Does nothing before it is open, and nothing once closed."""
        if self._is_open and self._channel is not None and self._channel.readyState == "open":
            self._channel.send(frame)

    @property
    def is_full(self) -> bool:
        """Whether `drain` would wait."""
        channel = self._channel
        return self._is_open and channel is not None and channel.bufferedAmount >= BUFFER_HIGH_BYTES

    async def drain(self) -> None:
        """Wait while too much is queued."""
        while self.is_full:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._writable)

    def pause_reading(self) -> None:
        """Leave frames in the network."""
        if self._sctp is not None:
            self._sctp.pause()

    def resume_reading(self) -> None:
        """Take frames again."""
        if self._sctp is not None:
            self._sctp.resume()

    def close(self) -> None:
        """Close after what is queued has left, or half a second."""
        self._finish(FLUSH_SECONDS)

    def abort(self) -> None:
        """Cut it now; nobody is told."""
        self._finish(0)

    # Inside

    def _receive(self, frame: bytes | memoryview) -> None:
        if self._handler is not None and not self._is_closed:
            self._handler(frame)

    def _room(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _dtls_changed(self) -> None:
        if self._dtls is not None and self._dtls.state in ("closed", "failed"):
            self._lose()

    def _look(self) -> None:
        """Look every second whether the peer is still heard."""
        loop = asyncio.get_running_loop()
        if self._ice is not None and loop.time() - self._ice.heard_at > SILENCE_SECONDS:
            self._lose()
        elif not self._is_closed:
            self._watch = loop.call_later(1.0, self._look)

    def _lose(self) -> None:
        was_open, is_news = self._is_open, not self._is_closed
        self._finish(0)
        if was_open and is_news:
            self._on_lost(self)

    def _finish(self, flush_seconds: float) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._watch is not None:
            self._watch.cancel()
        if not self._opened.done():
            self._opened.set_exception(RtcFailedError())
            self._opened.exception()
        _spawn(self._take_down(flush_seconds if self._is_open else 0))
        if not flush_seconds:
            self._is_open = False
        self._room()

    async def _take_down(self, flush_seconds: float) -> None:
        """Stop the layers from the top down."""
        loop = asyncio.get_running_loop()
        until = loop.time() + flush_seconds
        while loop.time() < until and self._is_sending():  # noqa: ASYNC110 - nothing tells of the last SACK
            await asyncio.sleep(0.005)
        self._is_open = False
        if self._sctp is not None:
            self._sctp.resume()  # nobody waits in it for ever
        if self._gathering is not None:  # cut short, it would leave a TURN allocation that nobody gives back
            await asyncio.wait((self._gathering,))
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_SECONDS):
                if self._sctp is not None:
                    await self._sctp.stop()
                if self._dtls is not None and self._dtls.state != "new":
                    await self._dtls.stop()
                if self._ice is not None:
                    await self._ice.close()

    def _is_sending(self) -> bool:
        sctp, channel = self._sctp, self._channel
        if sctp is None or channel is None or channel.readyState != "open":
            return False
        return bool(channel.bufferedAmount or sctp._outbound_queue or sctp._sent_queue)


async def closed() -> None:
    """Wait until every line that was closed in this loop has given back its sockets and TURN allocations."""
    loop = asyncio.get_running_loop()
    while tasks := [task for task in _closing if task.get_loop() is loop]:
        await asyncio.wait(tasks)


def _spawn(work: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(work)
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _relays(given: api.TurnCredentials | None) -> list[dict[str, Any]]:
    """Return aioice's options for each TURN server it can use."""
    if given is None or not isinstance(given.urls, list):
        return []
    relays = []
    for match in filter(None, map(_URL.fullmatch, given.urls)):
        is_tls, transport = match["scheme"] == "turns", match["transport"]
        if match["scheme"] == "stun" or (is_tls and transport == "udp"):
            continue  # DTLS to the TURN server is not among what aioice speaks
        relays.append(
            {
                "turn_server": _host(match, 5349 if is_tls else 3478),
                "turn_ssl": is_tls,
                "turn_transport": "tcp" if is_tls else transport or "udp",
                "turn_username": given.username,
                "turn_password": given.credential,
            }
        )
    return relays


def _stun(given: api.TurnCredentials | None) -> tuple[str, int] | None:
    urls = given.stun_urls if given is not None and isinstance(given.stun_urls, list) else []
    matches = (match for match in map(_URL.fullmatch, urls) if match and match["scheme"] == "stun")
    first = next(matches, None)
    return None if first is None else _host(first, 3478)


def _host(match: re.Match[str], port: int) -> tuple[str, int]:
    return match["ip"] or match["name"], int(match["port"] or port)


def _candidate(local: Candidate) -> IceCandidate:
    ip = ipaddress.ip_address(local.host.partition("%")[0])
    return IceCandidate(_KINDS[local.type], local.priority, ip.packed, local.port)


def _remote_candidate(one: IceCandidate) -> Candidate:
    is_ip = len(one.address) in (4, 16)
    host = str(ipaddress.ip_address(one.address)) if is_ip else one.address.decode("ascii")
    kind = _TYPES[one.kind]
    return Candidate(f"{kind}{host}", 1, "udp", one.priority, host, one.port, kind)
