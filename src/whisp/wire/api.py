"""The JSON of the HTTP API: one definition for server, client and the OpenAPI document.

camelCase on the wire; bytes travel as base64 (RFC 4648 section 4). Unknown members are ignored, so that
minor versions can add some; of a duplicated member the last counts.
"""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from whisp.wire.certificate import CERTIFICATE_BYTES
from whisp.wire.codes import ErrorCode
from whisp.wire.device_list import MAX_DEVICE_LIST_BYTES
from whisp.wire.errors import MalformedError
from whisp.wire.limits import MAX_ACTIVE_DEVICES, MAX_SIGNAL_BYTES
from whisp.wire.signing import SIGNATURE_BYTES

__all__ = [
    "Account",
    "Availability",
    "Challenge",
    "ChallengeRequest",
    "DeleteAccountRequest",
    "DeviceListUpdate",
    "DiscoverOutcome",
    "DiscoverRequest",
    "Done",
    "Error",
    "LoginRequest",
    "PreKeyBundles",
    "PreKeyBundlesRequest",
    "RegisterRequest",
    "ServerInfo",
    "SessionOutcome",
    "SessionRequest",
    "SessionToken",
    "TurnCredentials",
    "TurnCredentialsRequest",
    "UsernameRequest",
    "parse",
]

_Shape = TypeVar("_Shape", bound=Struct)

_Name = Annotated[str, Meta(max_length=64, description="A username, in any letter case.")]
_DeviceId = Annotated[bytes, Meta(min_length=16, max_length=16)]
_CallId = Annotated[bytes, Meta(min_length=16, max_length=16)]
_Signature = Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
_Certificate = Annotated[bytes, Meta(min_length=CERTIFICATE_BYTES, max_length=CERTIFICATE_BYTES)]
_DeviceList = Annotated[bytes, Meta(max_length=MAX_DEVICE_LIST_BYTES)]
_ChallengeBytes = Annotated[bytes, Meta(max_length=128)]


class ServerInfo(Struct, rename="camel", frozen=True):
    """What a client must know before it talks to this server."""

    origin: str
    major: int
    minor: int
    software: str


class Error(Struct, rename="camel", frozen=True):
    """Every answer that is not 2xx. `message` is a fixed sentence and never repeats the request."""

    error: ErrorCode
    message: str


class UsernameRequest(Struct, rename="camel", frozen=True):
    """Ask whether a username can still be claimed."""

    username: _Name


class Availability(Struct, rename="camel", frozen=True):
    """Whether it can. Reserved, erased and taken names all answer false."""

    available: bool


class ChallengeRequest(Struct, rename="camel", frozen=True):
    """Ask for a challenge to sign with this device's key."""

    device_id: _DeviceId


class Challenge(Struct, rename="camel", frozen=True):
    """Good once, for this device and this origin, until `expires_at` (Unix seconds)."""

    challenge: _ChallengeBytes
    expires_at: int


class RegisterRequest(Struct, rename="camel", frozen=True):
    """Claim a username for an account key. Signed with DK_sign, label "register"."""

    username: _Name
    certificate: _Certificate
    device_list: _DeviceList
    challenge: _ChallengeBytes
    signature: _Signature


class LoginRequest(Struct, rename="camel", frozen=True):
    """Log a device in. Signed with DK_sign, label "login"."""

    device_id: _DeviceId
    challenge: _ChallengeBytes
    signature: _Signature


class SessionToken(Struct, rename="camel", frozen=True):
    """A bearer token for this device, until `expires_at` (Unix seconds)."""

    token: str
    expires_at: int

    def __repr__(self) -> str:
        return f"SessionToken(token=<redacted>, expires_at={self.expires_at})"


class Account(Struct, rename="camel", frozen=True):
    """All that the server stores of the asking account."""

    username: str
    device_list: bytes
    certificates: list[bytes]


class DeleteAccountRequest(Struct, rename="camel", frozen=True):
    """Erase the account. Signed with AK, label "account-delete"."""

    challenge: _ChallengeBytes
    signature: _Signature


class DeviceListUpdate(Struct, rename="camel", frozen=True):
    """The next version of the device list, with the certificate of every active device."""

    device_list: _DeviceList
    certificates: Annotated[list[_Certificate], Meta(max_length=MAX_ACTIVE_DEVICES)]


class Done(Struct, rename="camel", frozen=True):
    """It is done."""

    result: Literal["ok"] = "ok"


class DiscoverRequest(Struct, rename="camel", frozen=True):
    """Look up an exact username."""

    username: _Name
    fvc: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET


class DiscoverOutcome(Struct, rename="camel", frozen=True, omit_defaults=True):
    """What `/v1/discover` answers: `online` is there only with "ok"."""

    result: Literal["ok", "not_found"]
    online: bool | UnsetType = UNSET


class PreKeyBundlesRequest(Struct, rename="camel", frozen=True):
    """Ask for the pre-key bundles of all online devices of a username."""

    username: _Name
    fvc: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET


class PreKeyBundles(Struct, rename="camel", frozen=True, omit_defaults=True):
    """What `/v1/bundles` answers: `bundles` is there only with "ok"; each decodes as a PreKeyBundle."""

    result: Literal["ok", "not_found"]
    bundles: list[bytes] | UnsetType = UNSET


class SessionRequest(Struct, rename="camel", frozen=True):
    """Ring a username. `offer` holds one OFFER for each device to ring, all of one call id."""

    from_device_id: _DeviceId
    to_username: _Name
    offer: Annotated[
        list[Annotated[bytes, Meta(max_length=MAX_SIGNAL_BYTES)]],
        Meta(min_length=1, max_length=MAX_ACTIVE_DEVICES),
    ]
    fvc: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET


class SessionOutcome(Struct, rename="camel", frozen=True):
    """What `/v1/requestSession` answers."""

    result: Literal["delivered", "not_found"]


class TurnCredentialsRequest(Struct, rename="camel", frozen=True):
    """Ask for TURN credentials for a call that was accepted and that this device is in."""

    call_id: _CallId


class TurnCredentials(Struct, rename="camel", frozen=True, omit_defaults=True):
    """What `/v1/turnCredentials` answers: the other members are there only with "ok".

    `credential` is good until `expires_at` (Unix seconds) at every one of `urls`; `stun_urls` need none.
    """

    result: Literal["ok", "not_found"]
    urls: list[str] | UnsetType = UNSET
    stun_urls: list[str] | UnsetType = UNSET
    username: str | UnsetType = UNSET
    credential: str | UnsetType = UNSET
    expires_at: int | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"TurnCredentials(result={self.result!r}, <redacted>)"


def parse(encoded: bytes, shape: type[_Shape]) -> _Shape:
    """Decode JSON into one of these shapes.

    Raises:
        MalformedError: it is not JSON, not UTF-8, nested beyond reason, or of another shape.
    """
    try:
        return msgspec.json.decode(encoded, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MalformedError("not the JSON that belongs here") from None
