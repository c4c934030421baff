"""Writes padding.json, content.json and file_stream.json, from fixed seeds.

Bytes are drawn from SHAKE-256 of a name, so a second run writes the same files. The checks in
tests/core/test_vectors_session.py rebuild every value from the description alone, without Whisp, and run
Whisp against it as well.

    python spec/vectors/generate_session.py [folder]
"""

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from enum import IntEnum
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any

from whisp.core.content import (
    MAX_CANDIDATES_AT_ONCE,
    MAX_FILE_BYTES,
    MAX_HOLES,
    MAX_LINE_ADDRESSES,
    MAX_LOST_RUNS,
    MAX_NAME_BYTES,
    MAX_NUMBER,
    MAX_REACTION_BYTES,
    MAX_TEXT_BYTES,
    Address,
    Author,
    Bye,
    ByeReason,
    CandidateKind,
    Content,
    DirectConsent,
    FileAck,
    FileCancel,
    FileCancelReason,
    FileDone,
    FileOffer,
    FileRequest,
    Heartbeat,
    IceCandidate,
    LineAnswer,
    LineOffer,
    ListReport,
    ListUpdate,
    MessageReference,
    Reaction,
    Receipt,
    ReceiptKind,
    Resume,
    RtcAnswer,
    RtcCandidates,
    RtcClose,
    RtcCloseReason,
    RtcOffer,
    RtcPolicy,
    Run,
    Text,
    TextDelete,
    TextEdit,
    Typing,
    encode_content,
)
from whisp.core.file_key import FileId, FileKey
from whisp.core.file_stream import CHUNK_BYTES, FileSender
from whisp.core.padding import HANDSHAKE_FLOOR, MESSAGE_FLOOR, pad, padme
from whisp.wire.device_list import ActiveDevice, DeviceList
from whisp.wire.ids import AccountId, DeviceId

Json = dict[str, Any]


def drawn(name: str, length: int) -> bytes:
    """Return bytes that only depend on `name`."""
    return shake_256(b"whisp vectors: " + name.encode()).digest(length)


def padding_vectors() -> Json:
    """Return lengths, padded contents and what is no padding."""
    lengths = [*range(35), 63, 64, 65, 100, 255, 256, 257, 272, 1000, 1024, 1025, 9999, 65_535, 65_536]
    lengths += [65_537, 10**6, 2**24 + 1, 10**9, 2**32, 2**40 + 1, 2**47 + 1, 2**48 - 1, 2**48]
    contents = [drawn(f"padding {n}", n) for n in (0, 1, 254, 255, 256, 300, 511, 512, 1000)]
    contents += [b"\x00" * 5, b"\x80\x00\x00"]
    return {
        "description": [
            "All byte strings are hex.",
            "lengths: [length, Padme(length)]: rounded up to a multiple of 2^(E-S); 0 and 1 stay.",
            "E = floor(log2 length), S = floor(log2 E) + 1.",
            "padded: padded = content || 80 || 00*, max(floor, Padme(len(content) + 1)) bytes.",
            "invalid: unpadding refuses these: no 80 before the zeros.",
        ],
        "lengths": [[length, padme(length)] for length in lengths],
        "padded": [
            {"content": content.hex(), "floor": floor, "padded": pad(content, floor).hex()}
            for content in contents
            for floor in (MESSAGE_FLOOR, HANDSHAKE_FLOOR)
        ],
        "invalid": [b.hex() for b in (b"", bytes(256), b"plain", b"\x80\x00\x01", b"\x7f" + bytes(255))],
    }


def device_list() -> bytes:
    """Return a well-formed list; its signature is never checked here."""
    active = (ActiveDevice(DeviceId(drawn("device", 16)), drawn("certificate", 32)),)
    account = AccountId(drawn("account", 32))
    return DeviceList(account, 1, bytes(32), 100, 200, active, (), drawn("signature", 64)).encode()


FILE = FileId(drawn("file", 16))
KEY = drawn("file key", 32)
TOKEN = drawn("token", 16)
IPV4 = Address(bytes((192, 0, 2, 7)), 4433)
IPV6 = Address(bytes.fromhex("20010db8000000000000000000000001"), 65_535)
UFRAG, PWD = "aB3+", "0123456789/+abcdefghIJ"
RELAYED = IceCandidate(CandidateKind.RELAYED, 0x01FFFFFF, IPV4.ip, 49_160)
HEART = "\u2764\ufe0f"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
MDNS_NAME = b"0a1b2c3d-4e5f-6789-abcd-ef0123456789.local"


def offer(size: int, name: str = "holiday.png", media_type: str = "image/png") -> FileOffer:
    """Return an offer with a key of its own: contents wipe theirs."""
    return FileOffer(FILE, FileKey(KEY), size, name, media_type)


def valid_contents() -> list[Content]:
    """Return every type, at its limits and between."""
    runs = tuple(Run(3 * i + 1, 3 * i + 2) for i in range(MAX_LOST_RUNS))
    return [
        Text("hello"),
        Text("¡Hola! 你好 \U0001f44b\x00\x1b[2J", MessageReference(Author.RECEIVER, 7)),
        Text("a", MessageReference(Author.SENDER, MAX_NUMBER)),
        Text("x" * MAX_TEXT_BYTES),
        Typing(True),
        Typing(False),
        Receipt(ReceiptKind.DELIVERED, 1),
        Receipt(ReceiptKind.READ, 12, (Run(2, 2), Run(4, 12))),
        Receipt(ReceiptKind.DELIVERED, MAX_NUMBER, runs),
        offer(0, "empty", ""),
        offer(123_456),
        offer(MAX_FILE_BYTES, "é" * 127 + "!", "x" * 127),
        FileRequest(FILE, 0),
        FileRequest(FILE, MAX_NUMBER),
        FileAck(FILE, 16),
        *(FileCancel(FILE, reason) for reason in FileCancelReason),
        FileDone(FILE),
        Heartbeat(0),
        Heartbeat(MAX_NUMBER),
        Resume(True, 0),
        Resume(False, 9, (2, 3, 9)),
        Resume(False, MAX_NUMBER, tuple(range(1, MAX_HOLES + 1))),
        *(Bye(reason, 41) for reason in ByeReason),
        ListUpdate(device_list()),
        ListReport(3, sha256(device_list()).digest()),
        DirectConsent(True),
        DirectConsent(False),
        LineOffer(TOKEN, (IPV4, IPV6)),
        LineOffer(TOKEN, (IPV4,) * MAX_LINE_ADDRESSES),
        LineAnswer(TOKEN, ()),
        LineAnswer(TOKEN, (IPV6,)),
        RtcOffer(TOKEN, RtcPolicy.RELAY_ONLY, UFRAG, PWD),
        RtcOffer(TOKEN, RtcPolicy.ALL, "u" * 32, "p" * 128),
        RtcAnswer(TOKEN, RtcPolicy.RELAY_ONLY, UFRAG, PWD),
        RtcAnswer(TOKEN, RtcPolicy.ALL, "////", "+" * 22),
        RtcCandidates(TOKEN, UFRAG, ()),
        RtcCandidates(TOKEN, UFRAG, (RELAYED,)),
        RtcCandidates(
            TOKEN,
            "u" * 32,
            (
                IceCandidate(CandidateKind.HOST, 0, MDNS_NAME, 1),
                IceCandidate(CandidateKind.SERVER_REFLEXIVE, MAX_NUMBER, IPV6.ip, 65_535),
                RELAYED,
            ),
        ),
        RtcCandidates(TOKEN, UFRAG, (RELAYED,) * MAX_CANDIDATES_AT_ONCE),
        *(RtcClose(TOKEN, reason) for reason in RtcCloseReason),
        TextEdit(7, "goodbye \u202e\x1b[2J"),
        TextEdit(MAX_NUMBER, "x" * MAX_TEXT_BYTES),
        TextDelete(1),
        TextDelete(MAX_NUMBER),
        Reaction(MessageReference(Author.RECEIVER, 7), HEART),
        Reaction(MessageReference(Author.SENDER, MAX_NUMBER), FAMILY),
        Reaction(MessageReference(Author.RECEIVER, 7), "x" * MAX_REACTION_BYTES),
        Reaction(MessageReference(Author.RECEIVER, 7), ""),
    ]


def plain(value: Any) -> Any:
    """Return a content's field as JSON."""
    match value:
        case bool() | str() | None:
            return value
        case IntEnum() | int():
            return int(value)
        case bytes():
            return value.hex()
        case FileKey():
            return value.expose().hex()
        case Run():
            return [value.first, value.last]
        case MessageReference():
            return [int(value.author), value.number]
        case Address():
            return [value.ip.hex(), value.port]
        case IceCandidate():
            return [int(value.kind), value.priority, value.address.hex(), value.port]
        case tuple():
            return [plain(item) for item in value]
    raise TypeError(type(value))


def invalid_rtc_contents(content: Callable[[int, int, bytes], bytes]) -> list[tuple[str, bytes]]:
    """Return what is no RTC content."""

    def lp8(text: bytes) -> bytes:
        return bytes((len(text),)) + text

    def offer_of(ufrag: bytes, pwd: bytes, policy: int = 1) -> bytes:
        return TOKEN + bytes((policy,)) + lp8(ufrag) + lp8(pwd)

    def candidates(*encoded: bytes, count: int | None = None, ufrag: bytes = UFRAG.encode()) -> bytes:
        return TOKEN + lp8(ufrag) + bytes((len(encoded) if count is None else count,)) + b"".join(encoded)

    def candidate(address: bytes, kind: int = 3, port: int = 9) -> bytes:
        return bytes((kind, 0, 0, 0, 1)) + lp8(address) + port.to_bytes(2, "big")

    ufrag, pwd, one = UFRAG.encode(), PWD.encode(), RELAYED.encode()
    return [
        ("an offer without a number", content(0x43, 0, offer_of(ufrag, pwd))),
        ("an offer of policy 0", content(0x43, 1, offer_of(ufrag, pwd, 0))),
        ("an answer of policy 3", content(0x44, 1, offer_of(ufrag, pwd, 3))),
        ("a ufrag of 3 characters", content(0x43, 1, offer_of(b"abc", pwd))),
        ("a ufrag of 33 characters", content(0x43, 1, offer_of(b"u" * 33, pwd))),
        ("a password of 21 characters", content(0x43, 1, offer_of(ufrag, b"p" * 21))),
        ("a password of 129 characters", content(0x44, 1, offer_of(ufrag, b"p" * 129))),
        ("a ufrag with a line end", content(0x43, 1, offer_of(b"abc\n", pwd))),
        ("a ufrag that ends a line and begins an attribute", content(0x43, 1, offer_of(b"abcd\r\na=x", pwd))),
        ("a password with a hyphen", content(0x44, 1, offer_of(ufrag, b"p" * 21 + b"-"))),
        ("a password that is not ASCII", content(0x44, 1, offer_of(ufrag, b"p" * 21 + b"\xe9"))),
        ("half a password", content(0x43, 1, offer_of(ufrag, pwd)[:-1])),
        ("an offer with trailing bytes", content(0x43, 1, offer_of(ufrag, pwd) + b"\x00")),
        ("candidates without a number", content(0x45, 0, candidates(one))),
        ("candidates of a ufrag of 3 characters", content(0x45, 1, candidates(one, ufrag=b"abc"))),
        ("seventeen candidates", content(0x45, 1, candidates(*[one] * 17))),
        ("fewer candidates than counted", content(0x45, 1, candidates(one, count=2))),
        ("more candidates than counted", content(0x45, 1, candidates(one, one, count=1))),
        ("a candidate of kind 0", content(0x45, 1, candidates(candidate(IPV4.ip, kind=0)))),
        ("a candidate of kind 4", content(0x45, 1, candidates(candidate(IPV4.ip, kind=4)))),
        ("a candidate with port 0", content(0x45, 1, candidates(candidate(IPV4.ip, port=0)))),
        ("a candidate without an address", content(0x45, 1, candidates(candidate(b"")))),
        ("a candidate address of 5 bytes", content(0x45, 1, candidates(candidate(bytes(5))))),
        ("an mDNS name in upper case", content(0x45, 1, candidates(candidate(MDNS_NAME.upper())))),
        ("an mDNS name of 41 characters", content(0x45, 1, candidates(candidate(MDNS_NAME[1:])))),
        ("an mDNS name that is longer", content(0x45, 1, candidates(candidate(MDNS_NAME + b".")))),
        ("a host name of 42 characters", content(0x45, 1, candidates(candidate(b"h" * 36 + b".local")))),
        ("a UUID in another domain", content(0x45, 1, candidates(candidate(MDNS_NAME[:-5] + b"whisp")))),
        ("a close without a number", content(0x46, 0, TOKEN + b"\x01")),
        ("a close without a reason", content(0x46, 1, TOKEN)),
    ]


def invalid_changes(content: Callable[[int, int, bytes], bytes]) -> list[tuple[str, bytes]]:
    """Return what is no edit, no deletion and no reaction."""
    one, acting = b"\x00\x00\x00\x01", "\x00\x1b\x7f\x9b\u061c\u200b\u200f\u202e\u2060\u2066\ufeff\U000e0041"
    return [
        ("an edit without a number of its own", content(4, 0, one + b"a")),
        ("an edit of number 0", content(4, 1, bytes(4) + b"a")),
        ("an edit that leaves nothing", content(4, 1, one)),
        ("an edit that is too long", content(4, 1, one + b"x" * (MAX_TEXT_BYTES + 1))),
        ("an edit that is not UTF-8", content(4, 1, one + b"\xc3")),
        ("a deletion without a number of its own", content(5, 0, one)),
        ("a deletion of number 0", content(5, 1, bytes(4))),
        ("half a deletion", content(5, 1, one[:3])),
        ("a deletion with trailing bytes", content(5, 1, one + b"a")),
        ("a reaction without a number of its own", content(6, 0, b"\x02" + one + b"+")),
        ("a reaction to nobody's message", content(6, 1, b"\x00" + one + b"+")),
        ("a reaction to an unknown author", content(6, 1, b"\x03" + one + b"+")),
        ("a reaction to number 0", content(6, 1, b"\x02" + bytes(4) + b"+")),
        ("half a reaction", content(6, 1, b"\x02" + one[:3])),
        ("a reaction that is too long", content(6, 1, b"\x02" + one + b"x" * (MAX_REACTION_BYTES + 1))),
        ("a reaction that is not UTF-8", content(6, 1, b"\x02" + one + b"\xed\xa0\x80")),
        ("a reaction of a space", content(6, 1, b"\x02" + one + b" ")),
        ("a reaction of joiners", content(6, 1, b"\x02" + one + "\u200d\u200c\ufe0f".encode())),
        *(
            (
                f"a reaction with U+{ord(bad):04X}",
                content(6, 1, b"\x02" + one + HEART.encode() + bad.encode()),
            )
            for bad in acting
        ),
    ]


def invalid_contents() -> list[tuple[str, bytes]]:
    """Return (what is wrong, bytes)."""

    def content(kind: int, number: int, body: bytes) -> bytes:
        return bytes((kind,)) + number.to_bytes(4, "big") + body

    def u32s(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(4, "big") for number in numbers)

    file_offer = encode_content(offer(5), 1)[5:]
    lists = device_list()
    huge = FILE + KEY + (MAX_FILE_BYTES + 1).to_bytes(8, "big") + file_offer[56:]
    long_name = file_offer[:56] + (MAX_NAME_BYTES + 1).to_bytes(2, "big") + b"n" * 256 + b"\x00\x00"
    address = IPV4.encode()
    return [
        ("nothing", b""),
        ("half a number", b"\x01\x00\x00"),
        ("a text without a number", content(1, 0, bytes(5) + b"a")),
        ("typing with a number", content(2, 1, b"\x01")),
        ("an empty text", content(1, 1, bytes(5))),
        ("a text that is too long", content(1, 1, bytes(5) + b"x" * (MAX_TEXT_BYTES + 1))),
        ("a text that is not UTF-8", content(1, 1, bytes(5) + b"\xc3")),
        ("a text with a surrogate", content(1, 1, bytes(5) + b"\xed\xa0\x80")),
        ("a reply by an unknown author", content(1, 1, b"\x03" + u32s(1) + b"a")),
        ("a reply to number 0", content(1, 1, b"\x01" + u32s(0) + b"a")),
        ("a reply without an author", content(1, 1, b"\x00" + u32s(1) + b"a")),
        ("a flag of 2", content(2, 0, b"\x02")),
        ("trailing bytes", content(2, 0, b"\x01\x00")),
        ("a receipt of kind 3", content(3, 0, b"\x03" + u32s(1) + b"\x00")),
        ("a receipt up to 0", content(3, 0, b"\x01" + u32s(0) + b"\x00")),
        ("lost runs that touch", content(3, 0, b"\x01" + u32s(9) + b"\x02" + u32s(1, 2, 3, 4))),
        ("a lost run that ends first", content(3, 0, b"\x01" + u32s(9) + b"\x01" + u32s(4, 3))),
        ("a lost run beyond the end", content(3, 0, b"\x01" + u32s(9) + b"\x01" + u32s(9, 10))),
        ("seventeen lost runs", content(3, 0, b"\x01" + u32s(99) + b"\x11" + bytes(8 * 17))),
        ("a file over 2^48 bytes", content(0x10, 1, huge)),
        ("a file of 2^63 bytes", content(0x10, 1, FILE + KEY + b"\x80" + bytes(7) + file_offer[56:])),
        ("a file without a name", content(0x10, 1, file_offer[:56] + bytes(4))),
        ("a name that is too long", content(0x10, 1, long_name)),
        ("a media type with a control character", content(0x10, 1, file_offer[:-1] + b"\x1b")),
        ("half a file id", content(0x14, 1, FILE[:8])),
        ("a cancel for reason 0", content(0x13, 1, FILE + b"\x00")),
        ("holes that descend", content(0x21, 0, b"\x00" + u32s(9) + b"\x02" + u32s(3, 2))),
        ("a hole that is 0", content(0x21, 0, b"\x00" + u32s(9) + b"\x01" + u32s(0))),
        ("a hole beyond the highest", content(0x21, 0, b"\x00" + u32s(9) + b"\x01" + u32s(10))),
        ("sixty-five holes", content(0x21, 0, b"\x00" + u32s(99) + b"\x41" + u32s(*range(1, 66)))),
        ("fewer holes than counted", content(0x21, 0, b"\x00" + u32s(9) + b"\x02" + u32s(1))),
        ("half a device list", content(0x30, 1, lists[: len(lists) // 2])),
        ("a report of version 0", content(0x31, 0, u32s(0) + bytes(32))),
        ("a short digest", content(0x31, 0, u32s(1) + bytes(31))),
        ("nine addresses", content(0x41, 1, TOKEN + b"\x09" + 9 * address)),
        ("an address of 5 bytes", content(0x41, 1, TOKEN + b"\x01\x05" + bytes(5) + b"\x01\x00")),
        ("port 0", content(0x42, 1, TOKEN + b"\x01" + address[:-2] + b"\x00\x00")),
        *invalid_rtc_contents(content),
        *invalid_changes(content),
    ]


def content_vectors() -> Json:
    """Return all types with their fields, what is refused and what is skipped."""
    valid = []
    for place, content in enumerate(valid_contents(), 1):
        number = (MAX_NUMBER if place % 5 == 0 else place) if content.COUNTED else 0
        described = {field.name: plain(getattr(content, field.name)) for field in fields(content)}
        encoded = encode_content(content, number).hex()
        valid.append({"type": content.TYPE.name, "number": number, "fields": described, "bytes": encoded})
    return {
        "description": [
            "All byte strings are hex; layouts are in spec/content.md.",
            "valid: bytes = type u8 || number u32 || body of the fields.",
            "References are [author, number], runs [first, last], addresses [ip, port].",
            "Candidates are [kind, priority, address, port]; ufrag and pwd are their ASCII characters.",
            "invalid: decoding refuses these as malformed.",
            "unknown: types of a newer version: skipped, not refused; number keeps its place.",
            "unknown_bye: a reason younger than this version reads as reason 0.",
            "unknown_rtc_close: the same, as reason 1.",
        ],
        "valid": valid,
        "invalid": [{"why": why, "bytes": encoded.hex()} for why, encoded in invalid_contents()],
        "unknown": [
            {"bytes": "f0000000074e65776572", "type": 0xF0, "number": 7},
            {"bytes": "ff00000000", "type": 0xFF, "number": 0},
        ],
        "unknown_bye": {"bytes": "2200000000ee00000009", "reason": 0, "last_number": 9},
        "unknown_rtc_close": {"bytes": f"4600000001{TOKEN.hex()}ee", "token": TOKEN.hex(), "reason": 1},
    }


SIZES = [0, 1, 9, 100, 255, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 77]


def stream(size: int) -> Json:
    """Return one file as its sender seals it."""
    sid, file_id, key = (drawn(f"{what} {size}", n) for what, n in (("sid", 16), ("id", 16), ("key", 32)))
    content = drawn(f"content {size}", size)
    sender = FileSender(sid, FileId(file_id), FileKey(key), size)
    chunks = []
    for index in range(sender.count):
        frame = sender.chunk(index, content[index * CHUNK_BYTES :][: sender.content_bytes(index)])
        chunk: Json = {"header": frame[:22].hex(), "bytes": len(frame), "sha256": sha256(frame).hexdigest()}
        if len(frame) < 500:
            chunk["frame"] = frame.hex()
        chunks.append(chunk)
    return {
        "sid": sid.hex(),
        "file_id": file_id.hex(),
        "key": key.hex(),
        "size": size,
        "padded_size": padme(size),
        "content_name": f"content {size}",
        "chunks": chunks,
    }


def hostile_streams() -> list[Json]:
    """Return deliveries whose last step is refused; `file` counts in `valid`."""
    many, small = len(SIZES) - 1, 3

    def delivery(why: str, file: int, *steps: Json, promised: int | None = None) -> Json:
        size = SIZES[file] if promised is None else promised
        return {"why": why, "file": file, "promised_size": size, "steps": list(steps)}

    def chunk(index: int, **change: Any) -> Json:
        return {"chunk": index, **change}

    return [
        delivery("a chunk missing", many, chunk(0), chunk(2)),
        delivery("a chunk repeated", many, chunk(0), chunk(0)),
        delivery("two chunks swapped", many, chunk(1)),
        delivery("the last chunk first", many, chunk(3)),
        delivery("a chunk after the last", small, chunk(0), chunk(0)),
        delivery("an early last flag", many, chunk(0, xor=[[21, 1]])),
        delivery("a last chunk without its flag", small, chunk(0, xor=[[21, 1]])),
        delivery("a flag of 2", many, chunk(0, xor=[[21, 2]])),
        delivery("another place in the header", many, chunk(1, xor=[[20, 1]])),
        delivery("another file id in the header", small, chunk(0, xor=[[1, 1]])),
        delivery("another frame type", small, chunk(0, xor=[[0, 1]])),
        delivery("an altered byte", small, chunk(0, xor=[[30, 128]])),
        delivery("an altered tag", small, chunk(0, xor=[[-1, 1]])),
        delivery("a byte short", small, chunk(0, cut=1)),
        delivery("a byte long", small, chunk(0, append="00")),
        delivery("only a header", small, chunk(0, cut=120)),
        delivery("a promise of more", small, chunk(0), promised=SIZES[many]),
        delivery("a promise of less", many, chunk(0), promised=SIZES[small]),
        delivery("another size of as many chunks", many, chunk(0), promised=SIZES[many] + 8192),
        delivery("padding that is not zero", small, chunk(0), promised=97),
    ]


def file_vectors() -> Json:
    """Return files as sealed, and what a receiver refuses."""
    return {
        "description": [
            "All byte strings are hex. T(s) = ASCII 'Whisp/1 ' || s || 00.",
            "k 32 || prefix 7 = HKDF-SHA-256(salt sid, ikm key, info T('file') || file_id, 39).",
            "The content of a file: the first size bytes of SHAKE-256('whisp vectors: ' || content_name).",
            "Its stream: content || 00* up to Padme(size) = padded_size, cut in chunks of 65536.",
            "header of chunk i = 11 || file_id || u32 i || u8 last; frame = header || sealed || tag.",
            "sealed || tag = AES-256-GCM(k, nonce prefix || u32 i || u8 last, AD, chunk).",
            "AD = T('chunk') || file_id || u64 padded_size.",
            "last is 1 on the final chunk, else 0; an empty file is one empty chunk.",
            "bytes and sha256 are of the whole frame, which is given where it is short.",
            "hostile: a receiver of valid[file], told promised_size, gets these steps.",
            "A step is that chunk's frame, changed: xor [offset, value], cut so many last bytes, append.",
            "All but the last are accepted; the last is refused and brings nothing.",
        ],
        "valid": [stream(size) for size in SIZES],
        "hostile": hostile_streams(),
    }


def main() -> None:
    """Write all three files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    files = {
        "padding": padding_vectors(),
        "content": content_vectors(),
        "file_stream": file_vectors(),
    }
    for name, vectors in files.items():
        (folder / f"{name}.json").write_text(json.dumps(vectors, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
