"""A device's pre-keys: the private halves, when they die, and the memory of OFFERs seen (spec/identity.md).

Nothing here is ever written to storage. A process that restarts forgets keys and replay cache together, so
no OFFER of before can be accepted after.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import urandom
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.errors import HandshakeError, HandshakeReason, SessionEndedError
from whisp.core.identity import DeviceKeys
from whisp.wire.errors import LocalProtocolError
from whisp.wire.ids import CallId, PreKeyId
from whisp.wire.limits import MAX_ONE_TIME_PRE_KEYS
from whisp.wire.prekey import MAX_PRE_KEY_SECONDS, PRE_KEY_LABELS, PreKeyKind, PreKeyRecord
from whisp.wire.version import SUITE_BITMAP, VERSION_BITMAP

__all__ = [
    "MAX_REMEMBERED_OFFERS",
    "MAX_RETAINED_ONE_TIME",
    "SIGNED_GRACE_SECONDS",
    "SIGNED_RENEWAL_SECONDS",
    "PreKeyPair",
    "PreKeyStore",
]

SIGNED_RENEWAL_SECONDS: Final = 1800
"""A signed record is replaced at half its life, so that what callers hold is never about to expire."""

SIGNED_GRACE_SECONDS: Final = 120
"""How long past its expiry a signed record still opens OFFERs that were under way."""

MAX_RETAINED_ONE_TIME: Final = 10 * MAX_ONE_TIME_PRE_KEYS
"""One-time private keys kept at once, given out or not; of more, the oldest are wiped."""

MAX_REMEMBERED_OFFERS: Final = 4096
"""OFFERs remembered under one signed record. When full, the record is retired: fail closed, then renew."""


@dataclass(slots=True, eq=False)
class PreKeyPair:
    """A pre-key record with its two private halves."""

    record: PreKeyRecord
    agreement: X25519PrivateKey | None
    kem: MLKEM768PrivateKey | None

    @classmethod
    def generate(
        cls,
        keys: DeviceKeys,
        kind: PreKeyKind,
        now: float,
        *,
        versions: int = VERSION_BITMAP,
        suites: int = SUITE_BITMAP,
    ) -> "PreKeyPair":
        """Return a fresh pair, its record signed by DK_sign and valid from `now` for an hour."""
        agreement, kem = X25519PrivateKey.generate(), MLKEM768PrivateKey.generate()
        return cls.sign(
            keys, kind, PreKeyId(urandom(8)), now, agreement, kem, versions=versions, suites=suites
        )

    @classmethod
    def sign(
        cls,
        keys: DeviceKeys,
        kind: PreKeyKind,
        identifier: PreKeyId,
        now: float,
        agreement: X25519PrivateKey,
        kem: MLKEM768PrivateKey,
        *,
        versions: int = VERSION_BITMAP,
        suites: int = SUITE_BITMAP,
    ) -> "PreKeyPair":
        """Return a pair of the given keys; `generate` is what everyone but the vectors wants."""
        unsigned = PreKeyRecord(
            kind,
            keys.device,
            identifier,
            int(now),
            int(now) + MAX_PRE_KEY_SECONDS,
            versions,
            suites,
            agreement.public_key().public_bytes_raw(),
            kem.public_key().public_bytes_raw(),
            b"",
        )
        signature = keys.sign(PRE_KEY_LABELS[kind], unsigned.to_be_signed())
        return cls(replace(unsigned, signature=signature), agreement, kem)

    def live(self) -> tuple[X25519PrivateKey, MLKEM768PrivateKey]:
        """Return both private halves. Raises SessionEndedError after `wipe`."""
        if self.agreement is None or self.kem is None:
            raise SessionEndedError("this pre-key was wiped")
        return self.agreement, self.kem

    def wipe(self) -> None:
        """Drop the private halves; the library frees their memory."""
        self.agreement = self.kem = None

    def __repr__(self) -> str:
        return "PreKeyPair(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("a PreKeyPair is never stored")


class _Signed:
    """A signed pair with the OFFERs that were accepted under it; they die together."""

    __slots__ = ("calls", "offers", "pair")

    def __init__(self, pair: PreKeyPair) -> None:
        self.pair = pair
        self.offers: set[bytes] = set()
        self.calls: set[CallId] = set()


class PreKeyStore:
    """The private halves of a device's published pre-keys, in memory only, each with its time to die.

    A one-time record dies at its first use or at its expiry, a signed record 120 s after its expiry. All
    methods that take `now` (Unix seconds) first forget what is due.
    """

    __slots__ = ("_current", "_keys", "_one_time", "_signed", "_suites", "_used", "_versions")

    def __init__(
        self, keys: DeviceKeys, *, versions: int = VERSION_BITMAP, suites: int = SUITE_BITMAP
    ) -> None:
        self._keys = keys
        self._versions = versions
        self._suites = suites
        self._signed: dict[PreKeyId, _Signed] = {}
        self._one_time: dict[PreKeyId, PreKeyPair] = {}
        self._used: dict[PreKeyId, int] = {}
        self._current: PreKeyId | None = None

    def publish(self, now: float) -> tuple[PreKeyRecord, ...]:
        """Return what to advertise now: the signed record, renewed if it is due, and 20 one-time records.

        The one-time records are always fresh. Records of an earlier publication may have been given out, so
        none of them is advertised twice; they still work until they expire.
        """
        self.expire(now)
        if self.is_renewal_due(now):
            pair = self._generate(PreKeyKind.SIGNED, now)
            self.adopt(pair)
            self._current = pair.record.id
        assert self._current is not None
        fresh = [self._generate(PreKeyKind.ONE_TIME, now) for _ in range(MAX_ONE_TIME_PRE_KEYS)]
        for pair in fresh:
            self.adopt(pair)
        return (self._signed[self._current].pair.record, *(pair.record for pair in fresh))

    def is_renewal_due(self, now: float) -> bool:
        """Say whether `publish` would make a new signed record: none is live, or it is 30 minutes old."""
        current = self._signed.get(self._current) if self._current else None
        if current is None:
            return True
        age = now - current.pair.record.created
        return not 0 <= age < SIGNED_RENEWAL_SECONDS

    def adopt(self, pair: PreKeyPair) -> None:
        """Keep a pair that was made elsewhere, as `publish` keeps its own."""
        identifier = pair.record.id
        if pair.record.kind is PreKeyKind.SIGNED:
            self._signed[identifier] = _Signed(pair)
            return
        self._one_time[identifier] = pair
        while len(self._one_time) > MAX_RETAINED_ONE_TIME:
            self._one_time.pop(next(iter(self._one_time))).wipe()

    def signed(self, identifier: PreKeyId, now: float) -> PreKeyPair:
        """Return the live signed pair of that id.

        Raises:
            HandshakeError: `pre-key-unknown`.
        """
        self.expire(now)
        entry = self._signed.get(identifier)
        if entry is None:
            raise HandshakeError(HandshakeReason.PRE_KEY_UNKNOWN, "a signed pre-key that is not alive here")
        return entry.pair

    def one_time(self, identifier: PreKeyId, now: float) -> PreKeyPair:
        """Return the live one-time pair of that id; `commit_offer` consumes it.

        Raises:
            HandshakeError: `pre-key-used` if an OFFER consumed it, else `pre-key-unknown`.
        """
        self.expire(now)
        if identifier in self._used:
            raise HandshakeError(HandshakeReason.PRE_KEY_USED, "a one-time pre-key that was used before")
        pair = self._one_time.get(identifier)
        if pair is None:
            raise HandshakeError(HandshakeReason.PRE_KEY_UNKNOWN, "a one-time pre-key that is not alive here")
        return pair

    def require_new_offer(self, offer_digest: bytes, call_id: CallId) -> None:
        """Refuse an OFFER whose digest or call id was accepted before.

        Raises:
            HandshakeError: `replayed`.
        """
        for entry in self._signed.values():
            if offer_digest in entry.offers or call_id in entry.calls:
                raise HandshakeError(HandshakeReason.REPLAYED, "an OFFER that came before")

    def commit_offer(
        self, signed: PreKeyId, one_time: PreKeyId | None, offer_digest: bytes, call_id: CallId
    ) -> None:
        """Remember an OFFER that passed every check, and wipe the one-time pair it used."""
        entry = self._signed[signed]
        entry.offers.add(offer_digest)
        entry.calls.add(call_id)
        if one_time is not None:
            pair = self._one_time.pop(one_time)
            self._used[one_time] = pair.record.expires + SIGNED_GRACE_SECONDS
            pair.wipe()
        if len(entry.offers) >= MAX_REMEMBERED_OFFERS:
            self._signed.pop(signed).pair.wipe()

    def expire(self, now: float) -> None:
        """Wipe every private half whose time is over."""
        for identifier, entry in list(self._signed.items()):
            if now > entry.pair.record.expires + SIGNED_GRACE_SECONDS:
                self._signed.pop(identifier).pair.wipe()
        for identifier, pair in list(self._one_time.items()):
            if now > pair.record.expires:
                self._one_time.pop(identifier).wipe()
        for identifier, until in list(self._used.items()):
            if now > until:
                del self._used[identifier]

    def wipe(self) -> None:
        """Forget every private half and every OFFER seen: lock, panic, log-out."""
        for pair in self._pairs():
            pair.wipe()
        self._signed.clear()
        self._one_time.clear()
        self._used.clear()
        self._current = None

    def __repr__(self) -> str:
        return f"PreKeyStore(signed={len(self._signed)}, one_time={len(self._one_time)})"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("a PreKeyStore is never stored")

    def _pairs(self) -> Iterator[PreKeyPair]:
        yield from (entry.pair for entry in self._signed.values())
        yield from self._one_time.values()

    def _generate(self, kind: PreKeyKind, now: float) -> PreKeyPair:
        return PreKeyPair.generate(self._keys, kind, now, versions=self._versions, suites=self._suites)
