"""Writes frames.json: every WebSocket message between a client and its server, and usernames.

Bytes are drawn from SHAKE-256 of a name, so a second run writes the same file. Its reader lays the fields out
by the table in spec/signalling.md and must reach the bytes.

    python spec/vectors/generate_frames.py [folder]
"""

from typing import Any

from generate_identity import Json, drawn, write

from whisp.wire.errors import MalformedError
from whisp.wire.frames import (
    ClientFrame,
    HangUp,
    Hello,
    LineState,
    LineStatus,
    PreKeys,
    PreKeysLeft,
    Relay,
    Ring,
    Route,
    ServerFrame,
    Signalled,
    Welcome,
    decode_client_frame,
    decode_server_frame,
)
from whisp.wire.ids import CallId, DeviceId, RouteId, Username
from whisp.wire.limits import (
    MAX_ONE_TIME_PRE_KEYS,
    MAX_RELAY_PAYLOAD_BYTES,
    MAX_SIGNAL_BYTES,
    MAX_TOKEN_BYTES,
)
from whisp.wire.prekey import PRE_KEY_BYTES
from whisp.wire.username import canonical, is_reserved
from whisp.wire.version import Version

FRAMES_TEXT = """\
All byte strings are hex; token and username are text. Layouts are in spec/signalling.md, WebSocket.
valid: bytes is the frame, fields what it says, from the side that may send it (both: either may).
  records are the pre-key records one after the other. bytes = type u8 || the fields in the table's order.
zeros, if there: so many 00 bytes follow bytes, and belong to the last field as well (a token of NULs).
invalid: the side that receives frames of from refuses bytes || zeros as malformed; why says what is wrong.
usernames: canonical is the form of name, null if there is none; reserved says that nobody can claim it.
""".splitlines()

DEVICE, CALL = DeviceId(drawn("frames device", 16)), CallId(drawn("frames call", 16))
ROUTE = RouteId(drawn("frames route", 16))
SIGNAL, RECORDS = drawn("frames signal", 40), [drawn(f"frames record {n}", PRE_KEY_BYTES) for n in range(2)]
LINE_BODY = bytes(CALL) + DEVICE

VALID: list[tuple[str, ClientFrame | ServerFrame, Json, int]] = [
    ("client", Hello(Version(1, 0), "e30.e30.AA"), {"major": 1, "minor": 0, "token": "e30.e30.AA"}, 0),
    ("client", Hello(Version(255, 255), ""), {"major": 255, "minor": 255, "token": ""}, 0),
    (
        "client",
        Hello(Version(1, 0), "\0" * MAX_TOKEN_BYTES),
        {"major": 1, "minor": 0, "token": ""},
        MAX_TOKEN_BYTES,
    ),
    ("server", Welcome(Version(1, 0)), {"major": 1, "minor": 0}, 0),
    ("client", PreKeys(tuple(RECORDS[:1])), {"count": 1, "records": RECORDS[0]}, 0),
    ("client", PreKeys(tuple(RECORDS)), {"count": 2, "records": b"".join(RECORDS)}, 0),
    (
        "client",
        PreKeys((bytes(PRE_KEY_BYTES),) * (1 + MAX_ONE_TIME_PRE_KEYS)),
        {"count": 1 + MAX_ONE_TIME_PRE_KEYS, "records": b""},
        PRE_KEY_BYTES * (1 + MAX_ONE_TIME_PRE_KEYS),
    ),
    ("server", PreKeysLeft(5), {"count": 5}, 0),
    ("server", PreKeysLeft(0), {"count": 0}, 0),
    ("both", Signalled(DEVICE, SIGNAL), {"device": DEVICE, "signal": SIGNAL}, 0),
    (
        "both",
        Signalled(DEVICE, bytes(MAX_SIGNAL_BYTES)),
        {"device": DEVICE, "signal": b""},
        MAX_SIGNAL_BYTES,
    ),
    (
        "server",
        Ring(DEVICE, Username("odile"), SIGNAL),
        {"device": DEVICE, "username": "odile", "offer": SIGNAL},
        0,
    ),
    (
        "server",
        Ring(DEVICE, Username("a-2" + "z" * 29), SIGNAL[:1]),
        {"device": DEVICE, "username": "a-2" + "z" * 29, "offer": SIGNAL[:1]},
        0,
    ),
    ("server", Route(CALL, DEVICE, ROUTE), {"call_id": CALL, "device": DEVICE, "route": ROUTE}, 0),
    *(
        ("server", LineStatus(CALL, DEVICE, state), {"call_id": CALL, "device": DEVICE, "state": state}, 0)
        for state in LineState
    ),
    ("client", HangUp(CALL), {"call_id": CALL}, 0),
    ("both", Relay(ROUTE, SIGNAL), {"route": ROUTE, "payload": SIGNAL}, 0),
    ("both", Relay(ROUTE, SIGNAL[:1]), {"route": ROUTE, "payload": SIGNAL[:1]}, 0),
    (
        "both",
        Relay(ROUTE, bytes(MAX_RELAY_PAYLOAD_BYTES)),
        {"route": ROUTE, "payload": b""},
        MAX_RELAY_PAYLOAD_BYTES,
    ),
]

_RING = b"\x22" + DEVICE
INVALID: list[tuple[str, str, bytes, int]] = [
    ("client", "empty", b"", 0),
    ("server", "empty", b"", 0),
    ("client", "an unknown type", b"\x00", 0),
    ("server", "an unknown type", b"\x26" + CALL, 0),
    ("server", "HELLO comes from clients", b"\x01\x01\x00\x00\x00", 0),
    ("server", "PRE_KEYS comes from clients", b"\x03\x01", PRE_KEY_BYTES),
    ("server", "HANG_UP comes from clients", b"\x25" + CALL, 0),
    ("client", "WELCOME comes from servers", b"\x02\x01\x00", 0),
    ("client", "PRE_KEYS_LEFT comes from servers", b"\x04\x05", 0),
    ("client", "RING comes from servers", _RING + b"\x00\x05odile" + SIGNAL, 0),
    ("client", "ROUTE comes from servers", b"\x23" + LINE_BODY + ROUTE, 0),
    ("client", "LINE comes from servers", b"\x24" + LINE_BODY + b"\x01", 0),
    ("client", "HELLO that ends early", b"\x01\x01\x00\x00\x04tok", 0),
    ("client", "HELLO with a trailing byte", b"\x01\x01\x00\x00\x03toke", 0),
    ("client", "HELLO with a token over its limit", b"\x01\x01\x00\x04\x01", 1025),
    ("client", "HELLO with a token that is not ASCII", b"\x01\x01\x00\x00\x01\x80", 0),
    ("server", "WELCOME that ends early", b"\x02\x01", 0),
    ("server", "WELCOME with a trailing byte", b"\x02\x01\x00\x00", 0),
    ("client", "PRE_KEYS without a record", b"\x03\x00", 0),
    ("client", "PRE_KEYS with too many records", b"\x03\x16", 22 * PRE_KEY_BYTES),
    ("client", "PRE_KEYS that ends early", b"\x03\x02", 2 * PRE_KEY_BYTES - 1),
    ("client", "PRE_KEYS with a trailing byte", b"\x03\x01", PRE_KEY_BYTES + 1),
    ("server", "PRE_KEYS_LEFT that ends early", b"\x04", 0),
    ("server", "PRE_KEYS_LEFT with a trailing byte", b"\x04\x05\x00", 0),
    ("client", "SIGNAL that ends early", b"\x21" + DEVICE[:-1], 0),
    ("client", "SIGNAL without a signal", b"\x21" + DEVICE, 0),
    ("server", "SIGNAL without a signal", b"\x21" + DEVICE, 0),
    ("client", "SIGNAL with one over its limit", b"\x21" + DEVICE, MAX_SIGNAL_BYTES + 1),
    ("server", "SIGNAL with one over its limit", b"\x21" + DEVICE, MAX_SIGNAL_BYTES + 1),
    ("server", "RING without an offer", _RING + b"\x00\x05odile", 0),
    ("server", "RING with an offer over its limit", _RING + b"\x00\x05odile", MAX_SIGNAL_BYTES + 1),
    ("server", "RING with a name that is not canonical", _RING + b"\x00\x05Odile" + SIGNAL, 0),
    ("server", "RING with a name that is too short", _RING + b"\x00\x02od" + SIGNAL, 0),
    ("server", "RING with a name over its limit", _RING + b"\x00\x21" + b"o" * 33 + SIGNAL, 0),
    ("server", "RING with a name that is not ASCII", _RING + b"\x00\x05sef\xc3\xa4" + SIGNAL, 0),
    ("server", "RING with a hyphen first", _RING + b"\x00\x05-sefa" + SIGNAL, 0),
    ("server", "RING with a name that ends a line", _RING + b"\x00\x05sefa\n" + SIGNAL, 0),
    ("server", "ROUTE that ends early", b"\x23" + LINE_BODY + ROUTE[:-1], 0),
    ("server", "ROUTE with a trailing byte", b"\x23" + LINE_BODY + ROUTE, 1),
    ("server", "LINE with state 0", b"\x24" + LINE_BODY + b"\x00", 0),
    ("server", "LINE with state 4", b"\x24" + LINE_BODY + b"\x04", 0),
    ("server", "LINE with a trailing byte", b"\x24" + LINE_BODY + b"\x01\x00", 0),
    ("client", "HANG_UP that ends early", b"\x25" + CALL[:-1], 0),
    ("client", "HANG_UP with a trailing byte", b"\x25" + CALL, 1),
    ("client", "RELAY without a payload", b"\x20" + ROUTE, 0),
    ("server", "RELAY without a payload", b"\x20" + ROUTE, 0),
    ("client", "RELAY over its limit", b"\x20" + ROUTE, MAX_RELAY_PAYLOAD_BYTES + 1),
    ("server", "RELAY over its limit", b"\x20" + ROUTE, MAX_RELAY_PAYLOAD_BYTES + 1),
]

NAMES = [
    *("odile", "ODILE", "Sefa-2", "007", "a-b", "a--b", "z" * 32, "Z" * 32, "xn0-a"),
    *("admin", "Whisp", "deleted-7", "xn--sefa", "you", "admins", "deleted7"),
    *("", "ab", "z" * 33, "-sefa", "sefa-", "---", "se_fa", "se.fa", "se fa", "sefa ", " sefa"),
    *("sefa\n", "sefa\r", "se\tfa", "sefa\0", "sefa%00", "se/fa", "at@host"),
    *("\u0130stanbul", "\u0131stanbul", "\u212aelvin", "\u017fefa", "stra\u00dfe", "stra\u1e9ee"),
    *("jos\u00e9", "jose\u0301", "\uff53\uff45\uff46\uff41", "sefa\uff11", "sefa\u00b2", "o\ufb01s"),
    *("se\u200bfa", "se\u00adfa", "\u202eafes", "\ufeffsefa", "sef\u0430", "\u03bfdile", "sefa\u0661"),
    *("se\u2011fa", "sefa\U0001d7d8", "sefa\ud800"),
]


def frame_type(frame: ClientFrame | ServerFrame) -> str:
    return frame.TYPE.name


def username(name: str) -> Json:
    try:
        form = canonical(name)
    except MalformedError:
        return {"name": name, "canonical": None, "reserved": False}
    return {"name": name, "canonical": form, "reserved": is_reserved(form)}


def frames() -> Json:
    """Return every case; each is tried here before it is written."""
    decoders: dict[str, Any] = {"client": decode_client_frame, "server": decode_server_frame}
    valid: list[Json] = []
    for side, frame, fields, zeros in VALID:
        encoded = frame.encode()
        for sender in decoders if side == "both" else (side,):
            assert decoders[sender](encoded) == frame
        shown = encoded[: len(encoded) - zeros]
        assert shown + bytes(zeros) == encoded
        case: Json = {"from": side, "type": frame_type(frame), "fields": fields, "bytes": shown}
        valid.append(case | {"zeros": zeros} if zeros else case)
    invalid: list[Json] = []
    for side, why, encoded, zeros in INVALID:
        try:
            decoders[side](encoded + bytes(zeros))
        except MalformedError:
            case = {"from": side, "why": why, "bytes": encoded}
            invalid.append(case | {"zeros": zeros} if zeros else case)
        else:
            raise AssertionError(why)
    return {
        "description": FRAMES_TEXT,
        "valid": valid,
        "invalid": invalid,
        "usernames": [username(name) for name in NAMES],
    }


if __name__ == "__main__":
    write("frames", frames())
