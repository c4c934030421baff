"""The certificate of one call, and when a call may have a WebRTC line at all."""

import hashlib
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from whisp.client.rtc_certificate import RTC_TRANSPORT, RtcCertificate, RtcTerms, may_use_rtc, rtc_offer
from whisp.core.handshake import NO_FINGERPRINT
from whisp.wire.certificate import DeviceKind


def test_each_call_gets_a_certificate_of_its_own_that_names_nobody() -> None:
    one, other = RtcCertificate.create(), RtcCertificate.create()
    assert isinstance(one.key.curve, ec.SECP256R1)
    assert one.fingerprint == hashlib.sha256(one.certificate.public_bytes(Encoding.DER)).digest()
    assert len({one.fingerprint, other.fingerprint}) == 2
    assert one.certificate.public_key() == one.key.public_key()
    assert [len(attribute.value) for attribute in one.certificate.subject] == [32]
    assert one.certificate.subject == one.certificate.issuer != other.certificate.subject
    assert "private" not in repr(one).lower()
    assert one.fingerprint.hex() not in repr(one)


@pytest.mark.parametrize("kind", [DeviceKind.NATIVE, DeviceKind.MOBILE, DeviceKind.BOT])
def test_webrtc_is_for_calls_with_a_web_page(kind: DeviceKind) -> None:
    assert may_use_rtc(kind, DeviceKind.WEB)
    assert may_use_rtc(DeviceKind.WEB, kind)
    assert may_use_rtc(DeviceKind.WEB, DeviceKind.WEB)
    assert not may_use_rtc(kind, DeviceKind.NATIVE)


def test_terms_stand_only_when_both_sides_spoke() -> None:
    certificate, fingerprint = RtcCertificate.create(), b"f" * 32
    terms = RtcTerms.of(certificate, RTC_TRANSPORT, fingerprint)
    assert terms == RtcTerms(certificate, fingerprint)
    assert RtcTerms.of(None, RTC_TRANSPORT, fingerprint) is None
    assert RtcTerms.of(certificate, b"", fingerprint) is None
    assert RtcTerms.of(certificate, b"rtc2", fingerprint) is None
    assert RtcTerms.of(certificate, RTC_TRANSPORT, NO_FINGERPRINT) is None
    assert rtc_offer(certificate) == (b"rtc1", certificate.fingerprint)
    assert rtc_offer(None) == (b"", NO_FINGERPRINT)


def test_whisp_and_its_client_load_without_webrtc() -> None:
    program = (
        "import sys, whisp; whisp.Client; import whisp.client.client, whisp.client.rtc_line;"
        "print([name for name in ('aiortc', 'aioice', 'av', 'OpenSSL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
