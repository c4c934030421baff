"""Two conversations joined in memory by a real handshake, handed over without a server."""

import os
import time
from dataclasses import dataclass, field

from whisp.client.clock import Clock
from whisp.client.conversation import Conversation
from whisp.client.people import Member
from whisp.client.session_opening import open_session
from whisp.client.transport import MemoryTransport
from whisp.core.handshake import NO_FINGERPRINT, CallFlags, place_offer, receive_offer
from whisp.core.identity import (
    AccountKey,
    DeviceKeys,
    LocalDevice,
    issue_certificate,
    issue_device_list,
)
from whisp.core.prekeys import PreKeyStore
from whisp.core.session import HeldList
from whisp.wire import api
from whisp.wire.certificate import DeviceKind
from whisp.wire.device_list import DeviceList
from whisp.wire.ids import CallId, Username
from whisp.wire.prekey import PreKeyBundle


class AdjustableClock(Clock):
    """A clock that tests can move forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass
class Host:
    """Stands in for a client."""

    receipts: bool = True
    allow_direct: bool = False
    may_use_loopback: bool = True
    clock: Clock = field(default_factory=AdjustableClock)
    over: list[Conversation] = field(default_factory=list)
    reported: list[tuple[int, bytes]] = field(default_factory=list)
    touches: int = 0

    def skip(self, seconds: float) -> None:
        """Let time pass."""
        assert isinstance(self.clock, AdjustableClock)
        self.clock.ahead += seconds

    def conversation_over(self, conversation: Conversation) -> None:
        self.over.append(conversation)

    async def turn_credentials(self, conversation: Conversation) -> api.TurnCredentials | None:
        return None

    def peer_list_shown(self, peer: Member, shown: DeviceList) -> HeldList:
        return HeldList(shown.version, shown.digest())

    def own_list_reported(self, conversation: Conversation, version: int, digest: bytes) -> None:
        self.reported.append((version, digest))

    def touched(self) -> None:
        self.touches += 1


@dataclass
class Pair:
    """The caller's and the callee's side, and the line between."""

    caller: Conversation
    callee: Conversation
    caller_host: Host
    callee_host: Host
    caller_line: MemoryTransport
    callee_line: MemoryTransport
    caller_key: AccountKey
    callee_key: AccountKey

    def rejoin(self) -> None:
        """Give both sides a new line, as after a reconnect."""
        self.caller_line, self.callee_line = MemoryTransport.pair()
        for conversation, line in ((self.caller, self.caller_line), (self.callee, self.callee_line)):
            line.deliver_to(conversation.attach(line, is_first=False))

    def cut(self) -> None:
        """Take the line away from both."""
        self.caller.detach()
        self.callee.detach()


def make_device() -> tuple[AccountKey, LocalDevice]:
    """Return a fresh account with one device."""
    key, keys, now = AccountKey.generate(), DeviceKeys.generate(), time.time()
    certificate = issue_certificate(key, keys.public, DeviceKind.NATIVE, now)
    return key, LocalDevice(certificate, issue_device_list(key, (certificate,), now, None), keys)


async def make_pair(*, allow_direct: bool = False, receipts: bool = True) -> Pair:
    """Return two conversations after a whole handshake."""
    (caller_key, caller), (callee_key, callee) = make_device(), make_device()
    hosts = Host(receipts, allow_direct), Host(receipts, allow_direct)
    now = time.time()
    prekeys = PreKeyStore(callee.keys)
    signed, one_time, *_ = prekeys.publish(now)
    bundle = PreKeyBundle(callee.certificate, callee.device_list, signed, one_time)
    offered = place_offer(
        caller, bundle, None, CallId(os.urandom(16)), b"", NO_FINGERPRINT, CallFlags.NONE, now
    )
    incoming = receive_offer(callee, prekeys, offered.offer, lambda _: None, now)
    answer, answered = incoming.accept(b"", NO_FINGERPRINT, now)
    confirmed = offered.receive_answer(answer, now)
    names = (
        Member(Username("odile"), caller.account, caller.device),
        Member(Username("sefa"), callee.account, callee.device),
    )
    one = open_session(confirmed.secrets, names[0], names[1], confirmed.peer, now)
    secrets, first = answered.receive_confirm(confirmed.confirm(one.opening(now)))
    two = open_session(secrets, names[1], names[0], incoming.peer, now)
    two.receive(first, now)
    caller_side = Conversation(one, names[0], names[1], hosts[0])
    callee_side = Conversation(two, names[1], names[0], hosts[1])
    lines = MemoryTransport.pair()
    for conversation, line in zip((caller_side, callee_side), lines, strict=True):
        line.deliver_to(conversation.attach(line, is_first=True))
    return Pair(caller_side, callee_side, *hosts, *lines, caller_key, callee_key)
