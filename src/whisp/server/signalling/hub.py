"""The one driver of the live half: it feeds frames to the states, performs what they ask, and keeps time.

Nothing here blocks and nothing is logged of whom or what: only counts and kinds.
"""

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Final

from whisp.server import limits
from whisp.server.presence.store import OnlineDevice, Presence
from whisp.server.signalling.brakes import Brakes
from whisp.server.signalling.calls import Calls
from whisp.server.signalling.connection import Connection
from whisp.server.signalling.effects import (
    CloseRoute,
    CountStray,
    Effect,
    Identify,
    OpenRoute,
    Publish,
    Send,
)
from whisp.server.signalling.identity import DeviceDirectory, DeviceRecord, Principal, TokenVerifier
from whisp.server.signalling.peer import Gone, Identified, Identifying, Peer, RefusedError, Unidentified
from whisp.server.signalling.pulse import Pulse
from whisp.server.signalling.relay import Exchange
from whisp.wire.codes import CloseCode
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import MalformedError, RemoteProtocolError, WhispError
from whisp.wire.frames import PreKeysLeft, Ring, Welcome
from whisp.wire.ids import AccountId, CallId, DeviceId
from whisp.wire.signals import Offer, decode_signal
from whisp.wire.version import CURRENT

__all__ = ["Hub"]

_log = logging.getLogger("whisp.signalling")

_IDENTIFYING: Final = "identifying"
_FLOODING: Final = "flooding"
_NOT_A_FRAME: Final = "Not a frame of this protocol."


class Hub:
    """All sockets of this process. Start it in the running loop, and stop it there."""

    def __init__(
        self,
        tokens: TokenVerifier,
        directory: DeviceDirectory,
        presence: Presence,
        *,
        max_connections: int = limits.MAX_CONNECTIONS,
        max_connections_per_address: int = limits.MAX_CONNECTIONS_PER_ADDRESS,
        max_unidentified: int = limits.MAX_UNIDENTIFIED,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.presence = presence
        presence.on_low = self._warn_of_low_pre_keys
        self._tokens = tokens
        self._directory = directory
        self._max_connections = max_connections
        self._max_per_address = max_connections_per_address
        self._max_unidentified = max_unidentified
        self._clock = clock
        self._wall_clock = wall_clock
        self._calls = Calls()
        self._exchange = Exchange()
        self._brakes = Brakes()
        self._pulse = Pulse()
        self._addresses: Counter[str] = Counter()
        self._admitted = 0
        self._newcomers: dict[Connection, float] = {}
        self._closing: dict[Connection, float] = {}
        self._full: dict[Connection, tuple[float, int]] = {}
        self._flooding: dict[Connection, float] = {}
        self._spent_at: dict[Connection, float] = {}
        self._identifications: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_stopping = False
        self._emptied: asyncio.Event | None = None

    # Life of the hub

    def start(self) -> None:
        """Begin to keep time. Call it in the loop that runs the sockets."""
        self._sweeper = asyncio.get_running_loop().call_later(limits.SWEEP_SECONDS, self._sweep)

    async def stop(self) -> None:
        """Close every socket with 1012, give them CLOSE_SECONDS to read it, and cut the rest."""
        self._is_stopping = True
        for connection in self._pulse.all():
            self._close(connection, CloseCode.RESTART, "The server is restarting.")
        for task in self._identifications:
            task.cancel()
        if self._closing:
            self._emptied = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), limits.CLOSE_SECONDS)
        for connection in tuple(self._closing):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def counts(self) -> Mapping[str, int]:
        """Return how much of everything there is: for readiness, metrics and tests. No names."""
        return {
            "connections": self._admitted,
            "newcomers": len(self._newcomers),
            "closing": len(self._closing),
            "full": len(self._full),
            "paused": len(self._brakes),
            "calls": len(self._calls),
            "desks": len(self._exchange),
        }

    # What the gate and the accounts ask for

    async def ring(self, caller: Principal, name: str, offers: Iterable[bytes]) -> bool:
        """Deliver OFFERs to the online devices of `name`; say whether any was queued.

        Everyone else's name, and every reason why nobody is rung, gives the same False.

        Raises:
            MalformedError: not OFFERs of one call, each to another device. Says nothing about `name`.
        """
        offer_for = {}
        call_id = None
        for encoded in offers:
            offer = decode_signal(encoded)
            if not isinstance(offer, Offer) or call_id not in (None, offer.call_id):
                raise MalformedError("not OFFERs of one call")
            if offer.callee_device in offer_for:
                raise MalformedError("two OFFERs for one device")
            call_id = offer.call_id
            offer_for[offer.callee_device] = encoded
        online = await self.presence.devices(name, self._wall_clock())
        sockets = {
            device: connection
            for device in online
            if device in offer_for
            and (connection := self._exchange.connection(device)) is not None
            and not connection.is_full
        }
        if call_id is None or not sockets:
            return False
        rung = self._calls.ring(caller.device, call_id, sockets, self._clock())
        for device in rung:
            sockets[device].send(Ring(caller.device, caller.username, offer_for[device]).encode())
        return bool(rung)

    def is_talking(self, device: DeviceId, call_id: CallId) -> bool:
        """Say whether the call was accepted and `device` is one of its two ends."""
        return self._calls.is_talking(device, call_id)

    def disconnect(self, device: DeviceId, code: CloseCode) -> None:
        """Close a device's socket. With REVOKED its calls end at once, else they are held."""
        if code is CloseCode.REVOKED:
            self._perform(self._calls.remove(device, self._clock()), None)
        sockets = [
            connection
            for connection in self._newcomers
            if isinstance(connection.peer, Identifying) and connection.peer.device == device
        ]
        current = self._exchange.connection(device)
        for connection in (*sockets, *((current,) if current else ())):
            self._close(connection, code, _REASONS.get(code, ""))

    def update_device_list(
        self, account: AccountId, device_list: bytes, certificates: Iterable[bytes]
    ) -> None:
        """Serve a newer, already verified device list; who is no longer on it goes with 4003.

        `certificates` are those of its active devices, in any order.
        """
        decoded = DeviceList.decode(device_list)
        by_digest = {sha256(certificate).digest(): certificate for certificate in certificates}
        current: dict[DeviceId, bytes] = {}
        for entry in decoded.active:
            peer = self._peer(entry.device)
            if peer is not None and peer.account == account:
                peer.device_list = device_list
                peer.certificate = by_digest.get(entry.certificate_digest, peer.certificate)
                current[entry.device] = peer.certificate
        self.presence.replace_device_list(device_list, current)
        for revoked in decoded.revoked:
            peer = self._peer(revoked.device)
            if peer is not None and peer.account == account:
                self.disconnect(revoked.device, CloseCode.REVOKED)

    # What the drivers say (`connection.Inbox`)

    def opened(self, connection: Connection, address: str) -> None:
        """A client is connected."""
        network = _network(address)
        connection.allowance = limits.MAX_FRAMES_PER_SECOND
        connection.peer = Unidentified(network)
        self._admitted += 1
        self._addresses[network] += 1
        self._newcomers[connection] = self._clock() + limits.HELLO_SECONDS
        self._pulse.hear(connection)
        if self._is_stopping:
            self._close(connection, CloseCode.RESTART, "The server is restarting.")
        elif (
            self._admitted > self._max_connections
            or self._addresses[network] > self._max_per_address
            or len(self._newcomers) > self._max_unidentified
        ):
            self._close(connection, CloseCode.BUSY, "Too many connections.")

    def received(self, connection: Connection, message: bytes) -> None:
        """It sent a message that no link took."""
        peer: Peer = connection.peer
        try:
            match peer:
                case Identified():
                    effects = peer.receive(message, self._calls, self._clock())
                    self._perform(effects, connection)
                case Unidentified():
                    self._identify(connection, peer, peer.receive(message))
                case Identifying():
                    peer.receive(message)
                case Gone():
                    pass
        except RefusedError as error:
            self._close(connection, error.code, str(error))
        except RemoteProtocolError:
            # The client learns that it erred, not where: the same answer for every malformed frame.
            self._close(connection, CloseCode.PROTOCOL, _NOT_A_FRAME)

    def broken(self, connection: Connection, code: CloseCode, reason: str) -> None:
        """It broke a rule of WebSocket or a bound."""
        self._close(connection, code, reason)

    def spent(self, connection: Connection) -> None:
        """It has used up its allowance: a second's worth of frames, in a second or more."""
        if isinstance(connection.peer, Gone):
            connection.allowance = limits.MAX_FRAMES_PER_SECOND
            return
        now = self._clock()
        ready_at = self._spent_at.get(connection, now - 1) + 1
        self._pulse.hear(connection)
        if ready_at <= now:
            self._spent_at[connection] = now
            connection.allowance = limits.MAX_FRAMES_PER_SECOND
        elif connection not in self._flooding:
            self._flooding[connection] = ready_at
            self._brakes.hold(connection, (_FLOODING, connection))

    def held_up(self, connection: Connection, reader: Connection) -> None:
        """It sends to a full reader: it waits until that one has read."""
        if reader in self._full:
            self._brakes.hold(connection, reader)

    def filled(self, connection: Connection) -> None:
        """Its queue is full."""
        if not isinstance(connection.peer, Gone):
            self._full[connection] = (self._clock(), connection.queued_bytes)

    def drained(self, connection: Connection) -> None:
        """Its queue is short again."""
        self._full.pop(connection, None)
        self._brakes.release(connection)

    def closed(self, connection: Connection) -> None:
        """It is gone."""
        self._detach(connection)
        address = connection.peer.address
        connection.peer = Gone(address)
        self._admitted -= 1
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]
        self._closing.pop(connection, None)
        if not self._closing and self._emptied is not None:
            self._emptied.set()

    # Identification

    def _identify(self, connection: Connection, peer: Unidentified, hello: Identify) -> None:
        try:
            principal = self._tokens.verify(hello.token, self._wall_clock())
        except WhispError:
            self._close(connection, CloseCode.UNAUTHORIZED, "Log in again.")
            return
        connection.peer = Identifying(peer.address, principal.device)
        self._brakes.hold(connection, (_IDENTIFYING, connection))
        task = asyncio.get_running_loop().create_task(self._look_up(connection, principal.device))
        self._identifications.add(task)
        task.add_done_callback(self._identified)

    def _identified(self, task: asyncio.Task[None]) -> None:
        self._identifications.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a device could not be looked up: %s", type(error).__name__)

    async def _look_up(self, connection: Connection, device: DeviceId) -> None:
        peer = connection.peer
        record = None
        code = CloseCode.RESTART  # what a failing storage looks like: come back later
        try:
            record = await self._directory.record(device)
            code = CloseCode.REVOKED
        finally:
            if connection.peer is peer:  # else it was closed, or its device revoked, meanwhile
                if record is None:
                    self._close(connection, code, _REASONS[code])
                else:
                    self._welcome(connection, device, record)

    def _welcome(self, connection: Connection, device: DeviceId, record: DeviceRecord) -> None:
        if not connection.accept_large_messages():
            self._close(connection, CloseCode.PROTOCOL, _NOT_A_FRAME)
            return
        former = self._exchange.connection(device)
        if former is not None:
            self._close(former, CloseCode.REPLACED, _REASONS[CloseCode.REPLACED])
        del self._newcomers[connection]
        connection.peer = Identified(
            connection.peer.address,
            device,
            record.account,
            record.username,
            record.certificate,
            record.device_list,
            pre_key_credit=limits.MAX_PRE_KEY_BURST,
            pre_keys_at=self._clock(),
        )
        self._brakes.release((_IDENTIFYING, connection))
        self._exchange.attach(device, connection)
        connection.send(Welcome(CURRENT).encode())
        self._perform(self._calls.arrive(device, self._clock()), None)

    # Effects

    def _perform(self, effects: Iterable[Effect], source: Connection | None) -> None:
        """Do what a state asked for; `source` is the socket whose frame made it ask."""
        for effect in effects:
            match effect:
                case Send(device, frame):
                    connection = self._exchange.connection(device)
                    if connection is not None:
                        connection.send(frame)
                        if source is not None and connection.is_full:
                            self.held_up(source, connection)
                case OpenRoute(device, route, toward, toward_route):
                    self._exchange.open(device, route, toward, toward_route)
                case CloseRoute(device, route):
                    self._exchange.close(device, route, self._clock())
                case CountStray() if source is not None:
                    self._count_stray(source)
                case Publish(records) if source is not None:
                    self._publish(source, records)

    def _count_stray(self, connection: Connection) -> None:
        peer = connection.peer
        peer.strays += 1
        if peer.strays >= limits.MAX_STRAY_FRAMES:
            self._close(connection, CloseCode.STRAY, "Too many frames to calls that are not yours.")

    def _publish(self, connection: Connection, records: tuple[bytes, ...]) -> None:
        peer = connection.peer
        now = self._clock()
        earned = (now - peer.pre_keys_at) / limits.PRE_KEY_SECONDS
        peer.pre_key_credit = min(peer.pre_key_credit + earned, limits.MAX_PRE_KEY_BURST) - 1
        peer.pre_keys_at = now
        # Counted, not measured by the credit: who is read only as often as it pays would never owe more.
        peer.pre_key_debts = peer.pre_key_debts + 1 if peer.pre_key_credit < 0 else 0
        if peer.pre_key_debts > limits.MAX_PRE_KEY_BURST:
            self._close(connection, CloseCode.FLOOD, "Too many pre-keys.")
            return
        if peer.pre_key_credit < 0:
            self._flooding[connection] = now - peer.pre_key_credit * limits.PRE_KEY_SECONDS
            self._brakes.hold(connection, (_FLOODING, connection))
        online = OnlineDevice(peer.device, peer.account, peer.username, peer.certificate, peer.device_list)
        self.presence.publish(online, records, self._wall_clock())
        connection.send(PreKeysLeft(len(records) - 1).encode())

    def _warn_of_low_pre_keys(self, device: DeviceId, left: int) -> None:
        connection = self._exchange.connection(device)
        if connection is not None:
            connection.send(PreKeysLeft(left).encode())

    def _peer(self, device: DeviceId) -> Identified | None:
        connection = self._exchange.connection(device)
        return connection.peer if connection is not None else None

    # Closing

    def _close(self, connection: Connection, code: CloseCode, reason: str) -> None:
        if isinstance(connection.peer, Gone):
            return
        self._detach(connection)
        connection.peer = Gone(connection.peer.address)
        self._closing[connection] = self._clock() + limits.CLOSE_SECONDS
        connection.close(code, reason)

    def _detach(self, connection: Connection) -> None:
        """Take a socket out of everything but the count of those still open."""
        peer = connection.peer
        self._newcomers.pop(connection, None)
        self._full.pop(connection, None)
        self._flooding.pop(connection, None)
        self._spent_at.pop(connection, None)
        self._pulse.discard(connection)
        self._brakes.forget(connection)
        if isinstance(peer, Identified):
            self.presence.withdraw(peer.device)
            self._exchange.detach(peer.device)
            self._perform(self._calls.leave(peer.device, self._clock()), None)

    # Time

    def _sweep(self) -> None:
        try:
            self.expire()
        finally:
            self.start()

    def expire(self) -> None:
        """Do all that is due by now. The sweep calls this, SWEEP_SECONDS apart."""
        now = self._clock()
        self._perform(self._calls.expire(now), None)
        self._exchange.expire(now)
        for connection in _due(self._newcomers, now):
            if isinstance(connection.peer, Unidentified):
                self._close(connection, CloseCode.UNAUTHORIZED, "No HELLO in time.")
        for connection in _due(self._closing, now):
            connection.abort()
        for connection in [held for held, until in self._flooding.items() if until <= now]:
            del self._flooding[connection]
            self._brakes.release((_FLOODING, connection))
        for connection, (since, queued) in tuple(self._full.items()):
            left = connection.queued_bytes
            if left <= queued - limits.MIN_PROGRESS_BYTES:
                self._full[connection] = (now, left)
            elif now - since >= limits.SLOW_READER_SECONDS:
                self._close(connection, CloseCode.SLOW, "Too slow to read.")
        for connection in self._pulse.beat():
            connection.abort()


_REASONS: Final = {
    CloseCode.RESTART: "Try again later.",
    CloseCode.REVOKED: "This device is no longer part of an account here.",
    CloseCode.REPLACED: "This device connected anew.",
    CloseCode.UNAUTHORIZED: "Log in again.",
}


def _due(deadlines: Mapping[Connection, float], now: float) -> list[Connection]:
    """Return whose time is up. Deadlines are equally long, so the oldest come first."""
    due = []
    for connection, deadline in deadlines.items():
        if deadline > now:
            break
        due.append(connection)
    return due


def _network(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 that an IPv6 host commands."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
