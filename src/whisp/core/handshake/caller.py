"""The caller's side: OfferedCall gives way to ConfirmedCall (spec/handshake.md, States of the caller)."""

from dataclasses import dataclass
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.errors import (
    AccountKeyChangedError,
    ConsumedStateError,
    HandshakeError,
    HandshakeReason,
)
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
    CallFlags,
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
from whisp.core.identity import LocalDevice, PeerIdentity, PinnedAccount, refusing, verify_device
from whisp.core.key_schedule import seal
from whisp.core.padding import HANDSHAKE_FLOOR, pad
from whisp.wire.encoding import parse_enum
from whisp.wire.errors import LocalProtocolError
from whisp.wire.ids import CallId
from whisp.wire.prekey import PreKeyBundle, PreKeyKind, PreKeyRecord
from whisp.wire.signals import Answer, Cancel, Confirm, Decline, Offer

__all__ = ["ConfirmedCall", "OfferedCall", "place_offer", "verify_bundle"]


def verify_bundle(
    local: LocalDevice, bundle: PreKeyBundle, pinned: PinnedAccount | None, now: float
) -> tuple[PeerIdentity, int, int]:
    """Check everything a bundle claims; return the peer, and the version and suite to use with it.

    `pinned` is what is remembered of the account that was asked for, None at first contact.

    Raises:
        AccountKeyChangedError: the bundle is of another account than the pinned one.
        HandshakeError: with the reason of the first check that failed.
    """
    if pinned is not None and bundle.certificate.account != pinned.account:
        raise AccountKeyChangedError(pinned.account, bundle.certificate.account)
    memory = verify_device(bundle.certificate, bundle.device_list, pinned, now)
    chosen = _verify_record(local, bundle, bundle.signed, PreKeyKind.SIGNED, now)
    if bundle.one_time is not None:
        other = _verify_record(local, bundle, bundle.one_time, PreKeyKind.ONE_TIME, now)
        if other != chosen:
            raise HandshakeError(
                HandshakeReason.DOWNGRADE, "two pre-keys of one device differ in what they speak"
            )
    return PeerIdentity(bundle.certificate, bundle.device_list, memory), *chosen


def place_offer(
    local: LocalDevice,
    bundle: PreKeyBundle,
    pinned: PinnedAccount | None,
    call_id: CallId,
    transport: bytes,
    fingerprint: bytes,
    call_flags: CallFlags,
    now: float,
) -> "OfferedCall":
    """Ring one device: check its bundle, and return the call with the OFFER to send.

    One `call_id` (16 random bytes) serves all devices of a ring. At first contact pass the pin of the first
    bundle (`.peer.pinned`) with the next, so that all devices rung are of one account. `transport` (at most
    16 KiB) and `fingerprint` (32 bytes, or NO_FINGERPRINT) reach only that device.

    Raises:
        HandshakeError: a check of the bundle failed; nothing was made of it.
        LocalProtocolError: a device cannot ring itself; oversized transport.
    """
    require_transport(transport, fingerprint)
    if bundle.certificate.device == local.device:
        raise LocalProtocolError("a device cannot ring itself")
    peer, version, suite = verify_bundle(local, bundle, pinned, now)
    ephemeral, kem = X25519PrivateKey.generate(), MLKEM768PrivateKey.generate()
    one_time = bundle.one_time
    ss1, kem_ciphertext = _encapsulate((one_time or bundle.signed).kem_key)

    def offer(sealed_identity: bytes = b"", sealed_offer: bytes = b"") -> Offer:
        return Offer(
            version,
            suite,
            call_id,
            peer.device,
            bundle.signed.id,
            one_time.id if one_time else None,
            ephemeral.public_key().public_bytes_raw(),
            kem.public_key().public_bytes_raw(),
            kem_ciphertext,
            sealed_identity,
            sealed_offer,
        )

    th1 = bind_offer_header(
        begin_transcript(
            version,
            suite,
            bundle.certificate.encode(),
            bundle.signed.encode(),
            one_time.encode() if one_time else b"",
        ),
        offer().encode_header(),
    )
    p1 = identity_key(
        th1,
        agree_or_refuse(ephemeral, bundle.certificate.agreement_key),
        agree_or_refuse(ephemeral, bundle.signed.agreement_key),
        agree_or_refuse(ephemeral, one_time.agreement_key) if one_time else b"",
        ss1,
    )
    identity = pad(IdentityPayload(local.certificate, local.device_list).encode(), HANDSHAKE_FLOOR)
    sealed_identity = seal(p1, SEAL_IDENTITY, th1, identity)
    th2 = bind_identity(th1, identity, sealed_identity)
    p2 = offer_key(p1, th1, agree_or_refuse(local.keys.agreement, bundle.signed.agreement_key))
    payload = OfferPayload(
        local.versions,
        local.suites,
        int(now),
        ListSighting.of(bundle.device_list),
        fingerprint,
        call_flags,
        transport,
    )
    proposal = pad(payload.encode(), HANDSHAKE_FLOOR)
    sealed_offer = seal(p2, SEAL_OFFER, th2, proposal)
    th3 = bind_offer(th2, proposal, sealed_offer)
    ringing = _Ringing(version, suite, ephemeral, kem, HandshakeKey(p2), th3)
    return OfferedCall(local, peer, call_id, offer(sealed_identity, sealed_offer).encode(), ringing)


@dataclass(slots=True, eq=False)
class _Ringing:
    """What the caller keeps secret while one device rings."""

    version: int
    suite: int
    ephemeral: X25519PrivateKey
    kem: MLKEM768PrivateKey
    p2: HandshakeKey
    th3: bytes

    def __repr__(self) -> str:
        return "_Ringing(<redacted>)"


class OfferedCall:
    """One device was rung. A valid ANSWER, a valid DECLINE or `cancel` ends this state; nothing else does.

    `refusals` counts messages that did not hold: after MAX_INVALID_ANSWERS the caller drops the device.
    """

    __slots__ = ("_local", "_ringing", "call_id", "offer", "peer", "refusals")

    def __init__(
        self, local: LocalDevice, peer: PeerIdentity, call_id: CallId, offer: bytes, ringing: _Ringing
    ) -> None:
        self._local = local
        self._ringing: _Ringing | None = ringing
        self.peer = peer
        self.call_id = call_id
        self.offer = offer
        self.refusals = 0

    def receive_answer(self, encoded: bytes, now: float) -> "ConfirmedCall":
        """Check an ANSWER; return the established call, whose `confirm` makes the CONFIRM to send.

        Raises:
            HandshakeError: it does not hold; the device still rings and a valid ANSWER is still taken.
            ConsumedStateError: this state has ended.
        """
        ringing = self._live()
        try:
            confirmed = self._check_answer(ringing, encoded, now)
        except HandshakeError:
            self.refusals += 1
            raise
        self.wipe()
        return confirmed

    def receive_decline(self, encoded: bytes) -> DeclineReason:
        """Check a DECLINE; return why the device does not take the call, and end this state.

        Raises:
            HandshakeError: it does not hold; the device still rings.
            ConsumedStateError: this state has ended.
        """
        ringing = self._live()
        try:
            signal = decode_as(Decline, encoded)
            require_call(signal, ringing.version, ringing.suite, self.call_id)
            require_device(signal.device, self.peer.device)
            with parsing():
                reason = parse_enum(
                    DeclineReason, open_reason(ringing.p2.expose(), SEAL_DECLINE, ringing.th3, signal)
                )
        except HandshakeError:
            self.refusals += 1
            raise
        self.wipe()
        return reason

    def cancel(self, reason: CancelReason) -> bytes:
        """Return the CANCEL to send, and end this state. Raises ConsumedStateError."""
        ringing = self._live()
        unsealed = Cancel(ringing.version, ringing.suite, self.call_id, self._local.device, b"")
        header = unsealed.encode_header()
        sealed = seal_reason(ringing.p2.expose(), SEAL_CANCEL, ringing.th3, header, reason)
        self.wipe()
        return Cancel(ringing.version, ringing.suite, self.call_id, self._local.device, sealed).encode()

    @property
    def is_live(self) -> bool:
        """Whether this state still waits for the device."""
        return self._ringing is not None

    def wipe(self) -> None:
        """Drop every secret of this state; each later use raises ConsumedStateError."""
        if self._ringing is not None:
            self._ringing.p2.wipe()
            self._ringing = None

    def __repr__(self) -> str:
        return f"OfferedCall(is_live={self.is_live}, refusals={self.refusals})"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("an OfferedCall is never stored")

    def _live(self) -> _Ringing:
        if self._ringing is None:
            raise ConsumedStateError("this OfferedCall has ended")
        return self._ringing

    def _check_answer(self, ringing: _Ringing, encoded: bytes, now: float) -> "ConfirmedCall":
        answer = decode_as(Answer, encoded)
        require_call(answer, ringing.version, ringing.suite, self.call_id)
        require_device(answer.device, self.peer.device)
        th4 = bind_answer_header(ringing.th3, answer.encode_header())
        p3 = answer_key(
            ringing.p2.expose(),
            ringing.th3,
            agree_or_refuse(ringing.ephemeral, answer.ephemeral_key),
            agree_or_refuse(self._local.keys.agreement, answer.ephemeral_key),
            ringing.kem.decapsulate(answer.kem_ciphertext),
        )
        padded, payload = open_padded(p3, SEAL_ANSWER, th4, answer.sealed_answer, AnswerPayload.decode)
        memory = verify_device(self.peer.certificate, payload.device_list, self.peer.pinned, now)
        keys = derive_session(p3, th5 := bind_answer(th4, padded, answer.sealed_answer))
        head = Confirm(ringing.version, ringing.suite, self.call_id, confirm_mac(keys.confirm_key, th5), b"")
        return ConfirmedCall(
            head,
            SessionSecrets.of(Role.INITIATOR, keys, answer.ephemeral_key),
            PeerIdentity(self.peer.certificate, payload.device_list, memory),
            payload,
            ListView.compare(self._local.device_list, payload.caller_list),
            payload.device_list.version > self.peer.device_list.version,
        )


class ConfirmedCall:
    """The callee is live and agrees on everything. Its secrets may protect data from CONFIRM on."""

    __slots__ = (
        "_head",
        "call_id",
        "fingerprint",
        "list_view",
        "peer",
        "secrets",
        "server_was_stale",
        "transport",
    )

    def __init__(
        self,
        head: Confirm,
        secrets: SessionSecrets,
        peer: PeerIdentity,
        payload: AnswerPayload,
        list_view: ListView,
        server_was_stale: bool,
    ) -> None:
        self._head: Confirm | None = head
        self.call_id = head.call_id
        self.secrets = secrets
        self.peer = peer
        """With the device list that the callee itself sent: store `peer.pinned`."""
        self.transport = payload.transport
        self.fingerprint = payload.fingerprint
        self.list_view = list_view
        """What the callee knows of our own device list."""
        self.server_was_stale = server_was_stale
        """The callee's list is newer than the one the server served: tell the user once."""

    def confirm(self, first_message: bytes) -> bytes:
        """Return the CONFIRM to send, with the first ratchet message in it. Once only.

        Raises:
            ConsumedStateError: it was made already.
            LocalProtocolError: the message is empty.
        """
        if self._head is None:
            raise ConsumedStateError("this call was confirmed already")
        if not first_message:
            raise LocalProtocolError("CONFIRM carries the first ratchet message")
        head, self._head = self._head, None
        return Confirm(head.version, head.suite, head.call_id, head.mac, first_message).encode()

    def verify_fingerprint(self, presented: bytes) -> None:
        """Check the fingerprint that the transport verified. Raises HandshakeError (`fingerprint`)."""
        verify_fingerprint(self.fingerprint, presented)

    def wipe(self) -> None:
        """Drop every secret, unless `secrets` was handed on and wipes itself elsewhere."""
        self._head = None
        self.secrets.wipe()

    def __repr__(self) -> str:
        return f"ConfirmedCall(list_view={self.list_view.name}, <redacted>)"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("a ConfirmedCall is never stored")


def _verify_record(
    local: LocalDevice, bundle: PreKeyBundle, record: PreKeyRecord, kind: PreKeyKind, now: float
) -> tuple[int, int]:
    if record.kind is not kind or record.device != bundle.certificate.device:
        raise HandshakeError(HandshakeReason.WRONG_DEVICE, "a pre-key of another device or kind")
    with refusing(HandshakeReason.PRE_KEY_FORGED, HandshakeReason.PRE_KEY_EXPIRED):
        record.verify(bundle.certificate.signing_key, int(now))
    chosen = highest_common(local.versions, record.versions), highest_common(local.suites, record.suites)
    if 0 in chosen:
        raise HandshakeError(HandshakeReason.DOWNGRADE, "no version or suite in common")
    return chosen


def _encapsulate(kem_key: bytes) -> tuple[bytes, bytes]:
    try:
        return MLKEM768PublicKey.from_public_bytes(kem_key).encapsulate()
    except ValueError:
        raise HandshakeError(HandshakeReason.BAD_KEY, "a pre-key's KEM key is not valid") from None
