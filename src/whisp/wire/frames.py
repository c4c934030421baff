"""WebSocket messages between a client and the server: binary, one type byte first (spec/signalling.md).

RELAY is the hot path: both sides build and split it in place, without these classes.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Final, TypeAlias

from whisp.wire.encoding import Reader, lp16, u8
from whisp.wire.errors import MalformedError
from whisp.wire.ids import CallId, DeviceId, RouteId, Username
from whisp.wire.limits import (
    MAX_FRAME_BYTES,
    MAX_ONE_TIME_PRE_KEYS,
    MAX_RELAY_PAYLOAD_BYTES,
    MAX_SIGNAL_BYTES,
    MAX_TOKEN_BYTES,
)
from whisp.wire.prekey import PRE_KEY_BYTES
from whisp.wire.username import canonical
from whisp.wire.version import Version

__all__ = [
    "RELAY_HEADER_BYTES",
    "ClientFrame",
    "FrameType",
    "HangUp",
    "Hello",
    "LineState",
    "LineStatus",
    "PreKeys",
    "PreKeysLeft",
    "Relay",
    "Ring",
    "Route",
    "ServerFrame",
    "Signalled",
    "Welcome",
    "decode_client_frame",
    "decode_server_frame",
]

RELAY_HEADER_BYTES: Final = 17


class FrameType(IntEnum):
    """First byte of every WebSocket message."""

    HELLO = 0x01
    WELCOME = 0x02
    PRE_KEYS = 0x03
    PRE_KEYS_LEFT = 0x04
    RELAY = 0x20
    SIGNAL = 0x21
    RING = 0x22
    ROUTE = 0x23
    LINE = 0x24
    HANG_UP = 0x25


class LineState(IntEnum):
    """What the server knows of the other end of a call."""

    UP = 1
    """Its socket is connected."""
    DOWN = 2
    """Its socket is gone; the call is held for 60 s."""
    ENDED = 3
    """It hung up, or the hold ran out. The routes are dead."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Client to server, the first frame within 5 s: who I am and what I speak.

    The token travels here so that it stays out of URLs.
    """

    TYPE: ClassVar = FrameType.HELLO
    version: Version
    token: str

    def __repr__(self) -> str:
        return f"Hello(version={self.version!r}, token=<redacted>)"

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return bytes((self.TYPE, self.version.major, self.version.minor)) + lp16(self.token.encode("ascii"))

    @classmethod
    def read(cls, reader: Reader) -> "Hello":
        """Take the fields after the type byte."""
        version = Version(reader.u8(), reader.u8())
        try:
            return cls(version, reader.lp16(MAX_TOKEN_BYTES).decode("ascii"))
        except UnicodeDecodeError:
            raise MalformedError("a token that is not ASCII") from None


@dataclass(frozen=True, slots=True)
class Welcome:
    """Server to client: you are online from now on. Both keep to the lower minor version."""

    TYPE: ClassVar = FrameType.WELCOME
    version: Version

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return bytes((self.TYPE, self.version.major, self.version.minor))

    @classmethod
    def read(cls, reader: Reader) -> "Welcome":
        """Take the fields after the type byte."""
        return cls(Version(reader.u8(), reader.u8()))


@dataclass(frozen=True, slots=True)
class PreKeys:
    """Client to server: replaces all pre-keys this device advertises; one signed, then one-time records."""

    TYPE: ClassVar = FrameType.PRE_KEYS
    records: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return bytes((self.TYPE, len(self.records))) + b"".join(self.records)

    @classmethod
    def read(cls, reader: Reader) -> "PreKeys":
        """Take the fields after the type byte."""
        count = reader.u8()
        if not 1 <= count <= 1 + MAX_ONE_TIME_PRE_KEYS:
            raise MalformedError("none or too many pre-keys")
        return cls(tuple(reader.take(PRE_KEY_BYTES) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class PreKeysLeft:
    """Server to client: the device can be rung, and so many of its one-time records remain."""

    TYPE: ClassVar = FrameType.PRE_KEYS_LEFT
    count: int

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return bytes((self.TYPE, self.count))

    @classmethod
    def read(cls, reader: Reader) -> "PreKeysLeft":
        """Take the fields after the type byte."""
        return cls(reader.u8())


@dataclass(frozen=True, slots=True)
class Signalled:
    """A handshake message. From a client `device` is the recipient; from the server it is the sender."""

    TYPE: ClassVar = FrameType.SIGNAL
    device: DeviceId
    signal: bytes

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return u8(self.TYPE) + self.device + self.signal

    @classmethod
    def read(cls, reader: Reader) -> "Signalled":
        """Take the fields after the type byte."""
        device, signal = DeviceId(reader.take(16)), reader.rest()
        _require_signal_size(signal)
        return cls(device, signal)


@dataclass(frozen=True, slots=True)
class Ring:
    """Server to client: an OFFER, with the sending device and the name the server knows it by."""

    TYPE: ClassVar = FrameType.RING
    device: DeviceId
    username: Username
    offer: bytes

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return u8(self.TYPE) + self.device + lp16(self.username.encode("ascii")) + self.offer

    @classmethod
    def read(cls, reader: Reader) -> "Ring":
        """Take the fields after the type byte."""
        device, name, offer = DeviceId(reader.take(16)), reader.lp16(32), reader.rest()
        _require_signal_size(offer)
        username = canonical(name.decode("ascii", "replace"))
        if username.encode("ascii") != name:
            raise MalformedError("a username that is not in its canonical form")
        return cls(device, username, offer)


@dataclass(frozen=True, slots=True)
class Route:
    """Server to client: both sides accepted; relay frames to `device` go to `route`."""

    TYPE: ClassVar = FrameType.ROUTE
    call_id: CallId
    device: DeviceId
    route: RouteId

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return u8(self.TYPE) + self.call_id + self.device + self.route

    @classmethod
    def read(cls, reader: Reader) -> "Route":
        """Take the fields after the type byte."""
        return cls(CallId(reader.take(16)), DeviceId(reader.take(16)), RouteId(reader.take(16)))


@dataclass(frozen=True, slots=True)
class LineStatus:
    """Server to client: what it knows of `device`'s end of a call. A hint only; BYE is the proof."""

    TYPE: ClassVar = FrameType.LINE
    call_id: CallId
    device: DeviceId
    state: LineState

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return u8(self.TYPE) + self.call_id + self.device + u8(self.state)

    @classmethod
    def read(cls, reader: Reader) -> "LineStatus":
        """Take the fields after the type byte."""
        call_id, device, state = CallId(reader.take(16)), DeviceId(reader.take(16)), reader.enum(LineState)
        return cls(call_id, device, state)


@dataclass(frozen=True, slots=True)
class HangUp:
    """Client to server: this device leaves the call; its routes die at once."""

    TYPE: ClassVar = FrameType.HANG_UP
    call_id: CallId

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return u8(self.TYPE) + self.call_id

    @classmethod
    def read(cls, reader: Reader) -> "HangUp":
        """Take the fields after the type byte."""
        return cls(CallId(reader.take(16)))


@dataclass(frozen=True, slots=True)
class Relay:
    """Ciphertext along a route. To the server `route` names the way out; to the client, the way it came."""

    TYPE: ClassVar = FrameType.RELAY
    route: RouteId
    payload: bytes

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return u8(self.TYPE) + self.route + self.payload

    @classmethod
    def read(cls, reader: Reader) -> "Relay":
        """Take the fields after the type byte."""
        route, payload = RouteId(reader.take(16)), reader.rest()
        if not 0 < len(payload) <= MAX_RELAY_PAYLOAD_BYTES:
            raise MalformedError("an empty or oversized relay payload")
        return cls(route, payload)


ClientFrame: TypeAlias = Hello | PreKeys | Signalled | HangUp | Relay
ServerFrame: TypeAlias = Welcome | PreKeysLeft | Signalled | Ring | Route | LineStatus | Relay

_CLIENT_FRAMES: Final[dict[int, Any]] = {
    codec.TYPE: codec for codec in (Hello, PreKeys, Signalled, HangUp, Relay)
}
_SERVER_FRAMES: Final[dict[int, Any]] = {
    codec.TYPE: codec for codec in (Welcome, PreKeysLeft, Signalled, Ring, Route, LineStatus, Relay)
}


def decode_client_frame(encoded: bytes) -> ClientFrame:
    """Parse what a client may send. Raises MalformedError."""
    frame: ClientFrame = _decode(encoded, _CLIENT_FRAMES)
    return frame


def decode_server_frame(encoded: bytes) -> ServerFrame:
    """Parse what the server may send. Raises MalformedError."""
    frame: ServerFrame = _decode(encoded, _SERVER_FRAMES)
    return frame


def _decode(encoded: bytes, codecs: dict[int, Any]) -> Any:
    if len(encoded) > MAX_FRAME_BYTES:
        raise MalformedError("a frame over its size limit")
    reader = Reader(encoded)
    codec = codecs.get(reader.u8())
    if codec is None:
        raise MalformedError("an unknown type of frame")
    frame = codec.read(reader)
    reader.finish()
    return frame


def _require_signal_size(signal: bytes) -> None:
    if not 0 < len(signal) <= MAX_SIGNAL_BYTES:
        raise MalformedError("an empty or oversized signal")
