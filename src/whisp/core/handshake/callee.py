"""The callee's side: IncomingCall gives way to AnsweredCall (spec/handshake.md, States of the callee)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.errors import ConsumedStateError, HandshakeError, HandshakeReason
from whisp.core.handshake.checks import (
    agree_or_refuse,
    decode_as,
    highest_common,
    open_padded,
    open_reason,
    parsing,
    require_call,
    require_device,
    require_transport,
    seal_reason,
    verify_fingerprint,
)
from whisp.core.handshake.payloads import (
    AnswerPayload,
    CancelReason,
    DeclineReason,
    IdentityPayload,
    ListSighting,
    ListView,
    OfferPayload,
)
from whisp.core.handshake.schedule import (
    SEAL_ANSWER,
    SEAL_CANCEL,
    SEAL_DECLINE,
    SEAL_IDENTITY,
    SEAL_OFFER,
    answer_key,
    begin_transcript,
    bind_answer,
    bind_answer_header,
    bind_identity,
    bind_offer,
    bind_offer_header,
    confirm_mac,
    derive_session,
    identity_key,
    offer_key,
)
from whisp.core.handshake.session_secrets import HandshakeKey, Role, SessionSecrets
from whisp.core.identity import LocalDevice, PeerIdentity, PinnedAccount, verify_device
from whisp.core.key_schedule import is_equal, seal
from whisp.core.padding import HANDSHAKE_FLOOR, pad
from whisp.core.prekeys import PreKeyStore
from whisp.wire.device_list import DeviceList
from whisp.wire.encoding import parse_enum
from whisp.wire.errors import LocalProtocolError
from whisp.wire.ids import AccountId
from whisp.wire.limits import MAX_CLOCK_ERROR_SECONDS
from whisp.wire.signals import Answer, Cancel, Confirm, Decline, Offer

__all__ = ["CONFIRM_WAIT_SECONDS", "AnsweredCall", "IncomingCall", "receive_offer"]

CONFIRM_WAIT_SECONDS: Final = 10
"""How long a callee that answered waits for CONFIRM before it wipes and is idle again."""


def receive_offer(
    local: LocalDevice,
    prekeys: PreKeyStore,
    encoded: bytes,
    pinned_lookup: Callable[[AccountId], PinnedAccount | None],
    now: float,
) -> "IncomingCall":
    """Check an OFFER and return the call that rings.

    Only when every check has passed is the one-time pre-key consumed and the OFFER remembered.
    `pinned_lookup` returns what is remembered of an account, None for a stranger.

    Raises:
        HandshakeError: with the reason of the first check that failed; drop the OFFER without a word.
    """
    offer = decode_as(Offer, encoded)
    require_device(offer.callee_device, local.device)
    signed = prekeys.signed(offer.signed_pre_key, now)
    one_time = prekeys.one_time(offer.one_time_pre_key, now) if offer.one_time_pre_key else None
    digest = sha256(encoded).digest()
    prekeys.require_new_offer(digest, offer.call_id)

    th1 = bind_offer_header(
        begin_transcript(
            offer.version,
            offer.suite,
            local.certificate.encode(),
            signed.record.encode(),
            one_time.record.encode() if one_time else b"",
        ),
        offer.encode_header(),
    )
    signed_key, signed_kem = signed.live()
    once_key, kem = one_time.live() if one_time else (None, signed_kem)
    p1 = identity_key(
        th1,
        agree_or_refuse(local.keys.agreement, offer.ephemeral_key),
        agree_or_refuse(signed_key, offer.ephemeral_key),
        agree_or_refuse(once_key, offer.ephemeral_key) if once_key else b"",
        kem.decapsulate(offer.kem_ciphertext),
    )
    identity, claimed = open_padded(p1, SEAL_IDENTITY, th1, offer.sealed_identity, IdentityPayload.decode)
    certificate = claimed.certificate
    memory = verify_device(certificate, claimed.device_list, pinned_lookup(certificate.account), now)
    if certificate.device == local.device:
        raise HandshakeError(HandshakeReason.WRONG_DEVICE, "an OFFER from this very device")

    th2 = bind_identity(th1, identity, offer.sealed_identity)
    p2 = offer_key(p1, th1, agree_or_refuse(signed_key, certificate.agreement_key))
    proposal, payload = open_padded(p2, SEAL_OFFER, th2, offer.sealed_offer, OfferPayload.decode)
    if abs(int(now) - payload.time) > MAX_CLOCK_ERROR_SECONDS:
        raise HandshakeError(HandshakeReason.CLOCK, "the caller's clock and this one differ; check the clock")
    record = signed.record
    if (offer.version, offer.suite) != (
        highest_common(record.versions, payload.versions),
        highest_common(record.suites, payload.suites),
    ):
        raise HandshakeError(HandshakeReason.DOWNGRADE, "not the highest version and suite that both know")
    try:
        caller_kem_key = MLKEM768PublicKey.from_public_bytes(offer.kem_key)
    except ValueError:
        raise HandshakeError(HandshakeReason.BAD_KEY, "the caller's KEM key is not valid") from None

    th3 = bind_offer(th2, proposal, offer.sealed_offer)
    prekeys.commit_offer(record.id, offer.one_time_pre_key, digest, offer.call_id)
    peer = PeerIdentity(certificate, claimed.device_list, memory)
    return IncomingCall(local, peer, offer, payload, _Ringing(caller_kem_key, HandshakeKey(p2), th3))


@dataclass(slots=True, eq=False)
class _Ringing:
    """What the callee keeps secret while it rings, and needs to take a CANCEL while it waits."""

    caller_kem_key: MLKEM768PublicKey
    p2: HandshakeKey
    th3: bytes

    def __repr__(self) -> str:
        return "_Ringing(<redacted>)"


@dataclass(slots=True, eq=False)
class _Waiting:
    """What the callee keeps between ANSWER and CONFIRM."""

    p2: HandshakeKey
    th3: bytes
    mac: HandshakeKey
    secrets: SessionSecrets

    def __repr__(self) -> str:
        return "_Waiting(<redacted>)"


class IncomingCall:
    """An authentic OFFER rings here. `accept`, `decline` or a valid CANCEL ends this state.

    The caller is who `peer` says unless this device's own signed pre-key leaked, and need not be there any
    more: the OFFER may have been held back. Only CONFIRM proves a live caller.
    """

    __slots__ = (
        "_local",
        "_offer",
        "_ringing",
        "call_flags",
        "call_id",
        "fingerprint",
        "list_view",
        "offered_at",
        "peer",
        "transport",
    )

    def __init__(
        self, local: LocalDevice, peer: PeerIdentity, offer: Offer, payload: OfferPayload, ringing: _Ringing
    ) -> None:
        self._local = local
        self._offer = offer
        self._ringing: _Ringing | None = ringing
        self.call_id = offer.call_id
        self.peer = peer
        """Store `peer.pinned`: it includes the caller's device list."""
        self.transport = payload.transport
        self.fingerprint = payload.fingerprint
        self.call_flags = payload.flags
        self.offered_at = payload.time
        """The caller's clock when it rang, Unix seconds."""
        self.list_view = ListView.compare(local.device_list, payload.callee_list)
        """What the caller knows of our own device list."""

    def accept(
        self,
        transport: bytes,
        fingerprint: bytes,
        now: float,
        *,
        device_list: DeviceList | None = None,
    ) -> "tuple[bytes, AnsweredCall]":
        """Take the call: return the ANSWER to send and the state that waits for CONFIRM.

        `device_list` replaces our own list where a newer one was fetched since the OFFER came (`PEER_AHEAD`).

        Raises:
            HandshakeError: `bad-key`; the state is as before.
            LocalProtocolError: oversized transport, or a device list without this device.
            ConsumedStateError: this state has ended.
        """
        ringing = self._live()
        require_transport(transport, fingerprint)
        local = self._local if device_list is None else replace(self._local, device_list=device_list)
        offer, p2 = self._offer, ringing.p2.expose()
        ephemeral = X25519PrivateKey.generate()
        public = ephemeral.public_key().public_bytes_raw()
        ss2, kem_ciphertext = ringing.caller_kem_key.encapsulate()
        answer = Answer(offer.version, offer.suite, offer.call_id, local.device, public, kem_ciphertext, b"")
        th4 = bind_answer_header(ringing.th3, answer.encode_header())
        p3 = answer_key(
            p2,
            ringing.th3,
            agree_or_refuse(ephemeral, offer.ephemeral_key),
            agree_or_refuse(ephemeral, self.peer.certificate.agreement_key),
            ss2,
        )
        payload = AnswerPayload(
            int(now), ListSighting.of(self.peer.device_list), fingerprint, local.device_list, transport
        )
        padded = pad(payload.encode(), HANDSHAKE_FLOOR)
        sealed = seal(p3, SEAL_ANSWER, th4, padded)
        keys = derive_session(p3, th5 := bind_answer(th4, padded, sealed))
        waiting = _Waiting(
            ringing.p2.copy(),
            ringing.th3,
            HandshakeKey(confirm_mac(keys.confirm_key, th5)),
            SessionSecrets.of(Role.RESPONDER, keys, public, ephemeral),
        )
        answered = AnsweredCall(self.peer, self._offer, self.fingerprint, waiting)
        self.wipe()
        return replace(answer, sealed_answer=sealed).encode(), answered

    def decline(self, reason: DeclineReason) -> bytes:
        """Return the DECLINE to send, and end this state. Raises ConsumedStateError."""
        ringing, offer = self._live(), self._offer
        unsealed = Decline(offer.version, offer.suite, offer.call_id, self._local.device, b"")
        header = unsealed.encode_header()
        sealed = seal_reason(ringing.p2.expose(), SEAL_DECLINE, ringing.th3, header, reason)
        self.wipe()
        return Decline(offer.version, offer.suite, offer.call_id, self._local.device, sealed).encode()

    def receive_cancel(self, encoded: bytes) -> CancelReason:
        """Check a CANCEL; return why the caller went, and end this state.

        Raises:
            HandshakeError: it does not hold; the call still rings.
            ConsumedStateError: this state has ended.
        """
        ringing = self._live()
        reason = _open_cancel(encoded, self._offer, self.peer, ringing.p2, ringing.th3)
        self.wipe()
        return reason

    def verify_fingerprint(self, presented: bytes) -> None:
        """Check the fingerprint that the transport verified. Raises HandshakeError (`fingerprint`)."""
        verify_fingerprint(self.fingerprint, presented)

    @property
    def is_live(self) -> bool:
        """Whether this state still rings."""
        return self._ringing is not None

    def wipe(self) -> None:
        """Drop every secret of this state; each later use raises ConsumedStateError."""
        if self._ringing is not None:
            self._ringing.p2.wipe()
            self._ringing = None

    def __repr__(self) -> str:
        return f"IncomingCall(is_live={self.is_live}, list_view={self.list_view.name})"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("an IncomingCall is never stored")

    def _live(self) -> _Ringing:
        if self._ringing is None:
            raise ConsumedStateError("this IncomingCall has ended")
        return self._ringing


class AnsweredCall:
    """The ANSWER is on its way. A valid CONFIRM or CANCEL ends this state; the client wipes it after 10 s.

    Nothing may be sent to the peer before CONFIRM has been verified.
    """

    __slots__ = ("_offer", "_waiting", "call_id", "fingerprint", "peer")

    def __init__(self, peer: PeerIdentity, offer: Offer, fingerprint: bytes, waiting: _Waiting) -> None:
        self._offer = offer
        self._waiting: _Waiting | None = waiting
        self.call_id = offer.call_id
        self.peer = peer
        self.fingerprint = fingerprint

    def receive_confirm(self, encoded: bytes) -> tuple[SessionSecrets, bytes]:
        """Check a CONFIRM; return the session's secrets and the first ratchet message (not yet decrypted).

        The MAC proves a live caller. It does not cover the ratchet message, which authenticates itself: one
        that was altered on the way is a lost message, not a lost call.

        Raises:
            HandshakeError: it does not hold; the true one is still taken.
            ConsumedStateError: this state has ended.
        """
        waiting = self._live()
        confirm = decode_as(Confirm, encoded)
        require_call(confirm, self._offer.version, self._offer.suite, self.call_id)
        if not is_equal(confirm.mac, waiting.mac.expose()):
            raise HandshakeError(HandshakeReason.NOT_AUTHENTIC, "CONFIRM does not hold")
        self._end(waiting)
        return waiting.secrets, confirm.first_message

    def receive_cancel(self, encoded: bytes) -> CancelReason:
        """Check a CANCEL; return why the caller went, and wipe the session that was about to be.

        Raises:
            HandshakeError: it does not hold; CONFIRM is still taken.
            ConsumedStateError: this state has ended.
        """
        waiting = self._live()
        reason = _open_cancel(encoded, self._offer, self.peer, waiting.p2, waiting.th3)
        self.wipe()
        return reason

    def verify_fingerprint(self, presented: bytes) -> None:
        """Check the fingerprint that the transport verified. Raises HandshakeError (`fingerprint`)."""
        verify_fingerprint(self.fingerprint, presented)

    @property
    def is_live(self) -> bool:
        """Whether this state still waits for CONFIRM."""
        return self._waiting is not None

    def wipe(self) -> None:
        """Drop every secret, those of the session included; each later use raises ConsumedStateError."""
        if self._waiting is not None:
            self._waiting.secrets.wipe()
            self._end(self._waiting)

    def __repr__(self) -> str:
        return f"AnsweredCall(is_live={self.is_live})"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("an AnsweredCall is never stored")

    def _live(self) -> _Waiting:
        if self._waiting is None:
            raise ConsumedStateError("this AnsweredCall has ended")
        return self._waiting

    def _end(self, waiting: _Waiting) -> None:
        waiting.p2.wipe()
        waiting.mac.wipe()
        self._waiting = None


def _open_cancel(
    encoded: bytes, offer: Offer, peer: PeerIdentity, p2: HandshakeKey, th3: bytes
) -> CancelReason:
    signal = decode_as(Cancel, encoded)
    require_call(signal, offer.version, offer.suite, offer.call_id)
    require_device(signal.device, peer.device)
    with parsing():
        return parse_enum(CancelReason, open_reason(p2.expose(), SEAL_CANCEL, th3, signal))
