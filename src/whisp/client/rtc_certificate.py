"""The DTLS certificate of one call, which the handshake binds (spec/lines.md, WebRTC).

Whether a call may have a WebRTC line is settled in the handshake, long before WebRTC is needed: nothing here
loads it.
"""

import datetime
import os
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from whisp.client.errors import TransportError
from whisp.core.handshake import NO_FINGERPRINT
from whisp.wire.certificate import DeviceKind

__all__ = [
    "RTC_TRANSPORT",
    "RtcCertificate",
    "RtcFailedError",
    "RtcImpostorError",
    "RtcTerms",
    "may_use_rtc",
    "rtc_offer",
]

RTC_TRANSPORT: Final = b"rtc1"
"""Transport bytes of a side that speaks WebRTC."""

_SLACK: Final = datetime.timedelta(days=1)
"""Nobody looks at the dates of a certificate that is known by its fingerprint; clocks need not agree."""


class RtcFailedError(TransportError):
    """No line came about: no candidates, no way through, or it was given up."""


class RtcImpostorError(RtcFailedError):
    """Whoever is at the other end does not hold the certificate that the call was made with."""


def may_use_rtc(one: DeviceKind, other: DeviceKind) -> bool:
    """Say whether two devices of these kinds speak WebRTC: one of them is a web page."""
    return DeviceKind.WEB in (one, other)


@dataclass(frozen=True, slots=True)
class RtcCertificate:
    """A key and its self-signed certificate, made for one call; it dies with it."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate = field(repr=False)

    @classmethod
    def create(cls) -> "RtcCertificate":
        """Make a fresh one, on P-256. Its name says nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, os.urandom(16).hex())])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SLACK)
            .not_valid_after(now + _SLACK)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the encoded certificate, 32 bytes."""
        return self.certificate.fingerprint(hashes.SHA256())


def rtc_offer(certificate: RtcCertificate | None) -> tuple[bytes, bytes]:
    """Return the transport bytes and the fingerprint for a handshake; neither without a certificate."""
    return (b"", NO_FINGERPRINT) if certificate is None else (RTC_TRANSPORT, certificate.fingerprint)


@dataclass(frozen=True, slots=True)
class RtcTerms:
    """What a handshake agreed on for WebRTC: the own certificate, and the only one the peer may show."""

    certificate: RtcCertificate
    peer_fingerprint: bytes

    @classmethod
    def of(
        cls, certificate: RtcCertificate | None, transport: bytes, fingerprint: bytes
    ) -> "RtcTerms | None":
        """Return the terms when both sides spoke WebRTC, else None."""
        if certificate is None or transport != RTC_TRANSPORT or fingerprint == NO_FINGERPRINT:
            return None
        return cls(certificate, fingerprint)
