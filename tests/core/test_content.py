"""Contents survive the trip as they are, and nothing else decodes."""

import os
import string
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.sessions import A_LIST

from whisp.core.content import (
    LINE_TOKEN_BYTES,
    MAX_CANDIDATES_AT_ONCE,
    MAX_FILE_BYTES,
    MAX_HOLES,
    MAX_LINE_ADDRESSES,
    MAX_LOST_RUNS,
    MAX_MEDIA_TYPE_BYTES,
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
    ContentType,
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
    Unknown,
    decode_content,
    encode_content,
)
from whisp.core.content.codec import _CODECS
from whisp.core.file_key import FileId, FileKey
from whisp.wire.errors import LocalProtocolError, MalformedError

numbers = st.integers(1, MAX_NUMBER)
u32s = st.integers(0, MAX_NUMBER)
file_ids = st.binary(min_size=16, max_size=16).map(FileId)
texts = st.text(min_size=1, max_size=60).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text))
addresses = st.lists(
    st.builds(
        Address,
        st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)),
        st.integers(1, 0xFFFF),
    ),
    max_size=MAX_LINE_ADDRESSES,
).map(tuple)
tokens = st.binary(min_size=LINE_TOKEN_BYTES, max_size=LINE_TOKEN_BYTES)
ICE = string.ascii_letters + string.digits + "+/"
ufrags = st.text(ICE, min_size=4, max_size=32)
pwds = st.text(ICE, min_size=22, max_size=128)
mdns_names = st.uuids().map(lambda uuid: f"{uuid}.local".encode())
candidates = st.builds(
    IceCandidate,
    st.sampled_from(CandidateKind),
    u32s,
    st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16), mdns_names),
    st.integers(1, 0xFFFF),
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    edges = sorted(draw(st.lists(st.integers(1, 5000), unique=True, max_size=2 * MAX_LOST_RUNS)))
    runs = tuple(
        Run(first, last) for first, last in zip(edges[::2], edges[1::2], strict=False) if last > first + 1
    )
    spaced = tuple(run for i, run in enumerate(runs) if i == 0 or run.first > runs[i - 1].last + 1)
    return Receipt(draw(st.sampled_from(ReceiptKind)), draw(st.integers(5000, MAX_NUMBER)), spaced)


@st.composite
def resumes(draw: st.DrawFn) -> Resume:
    holes = tuple(sorted(draw(st.sets(st.integers(1, 9000), max_size=MAX_HOLES))))
    return Resume(draw(st.booleans()), draw(st.integers(9000, MAX_NUMBER)), holes)


contents: st.SearchStrategy[Content] = st.one_of(
    st.builds(Text, texts, st.none() | st.builds(MessageReference, st.sampled_from(Author), numbers)),
    st.builds(Typing, st.booleans()),
    receipts(),
    st.builds(
        FileOffer,
        file_ids,
        st.binary(min_size=32, max_size=32).map(FileKey),
        st.integers(0, MAX_FILE_BYTES),
        texts,
        st.sampled_from(["", "image/png", "x" * MAX_MEDIA_TYPE_BYTES]),
    ),
    st.builds(FileRequest, file_ids, u32s),
    st.builds(FileAck, file_ids, u32s),
    st.builds(FileCancel, file_ids, st.sampled_from(FileCancelReason)),
    st.builds(FileDone, file_ids),
    st.builds(Heartbeat, u32s),
    resumes(),
    st.builds(Bye, st.sampled_from(ByeReason), u32s),
    st.just(ListUpdate(A_LIST)),
    st.builds(ListReport, numbers, st.binary(min_size=32, max_size=32)),
    st.builds(DirectConsent, st.booleans()),
    st.builds(LineOffer, tokens, addresses),
    st.builds(LineAnswer, tokens, addresses),
    st.builds(RtcOffer, tokens, st.sampled_from(RtcPolicy), ufrags, pwds),
    st.builds(RtcAnswer, tokens, st.sampled_from(RtcPolicy), ufrags, pwds),
    st.builds(
        RtcCandidates, tokens, ufrags, st.lists(candidates, max_size=MAX_CANDIDATES_AT_ONCE).map(tuple)
    ),
    st.builds(RtcClose, tokens, st.sampled_from(RtcCloseReason)),
    st.builds(TextEdit, numbers, texts),
    st.builds(TextDelete, numbers),
    st.builds(
        Reaction,
        st.builds(MessageReference, st.sampled_from(Author), numbers),
        st.sampled_from(["", "+1", "\u2764\ufe0f", "\U0001f468\u200d\U0001f469", "\u0639"]),
    ),
)


@given(contents, numbers)
def test_every_content_survives_the_trip(content: Content, number: int) -> None:
    number = number if content.COUNTED else 0
    encoded = encode_content(content, number)
    assert encoded[:5] == struct.pack(">BI", content.TYPE, number)
    assert decode_content(encoded) == (number, content)


def test_every_type_has_one_codec() -> None:
    assert set(_CODECS) == set(ContentType)


@given(contents, st.data())
def test_s11_truncated_or_longer_contents_are_malformed(content: Content, data: st.DataObject) -> None:
    encoded = encode_content(content, int(content.COUNTED))
    cut = data.draw(st.integers(0, len(encoded) - 1))
    free = 9 if isinstance(content, TextEdit) else 10  # these end where their content ends
    if not (isinstance(content, Text | TextEdit | Reaction) and cut >= free):
        with pytest.raises(MalformedError):
            decode_content(encoded[:cut])
    if not isinstance(content, Text | TextEdit):
        with pytest.raises(MalformedError):
            decode_content(encoded + b"\x00")


def _decodes_or_is_malformed(encoded: bytes) -> None:
    try:
        number, content = decode_content(encoded)
    except MalformedError:
        return
    if not isinstance(content, Unknown | Bye | RtcClose):  # those forget bytes on purpose
        assert encode_content(content, number) == encoded


@given(st.sampled_from(list(ContentType)), st.integers(0, 2), st.binary(max_size=200))
def test_s11_random_bodies_decode_to_themselves_or_are_malformed(
    kind: ContentType, number: int, body: bytes
) -> None:
    _decodes_or_is_malformed(struct.pack(">BI", kind, number) + body)


@given(contents, st.data())
def test_s11_a_changed_byte_decodes_to_itself_or_is_malformed(content: Content, data: st.DataObject) -> None:
    encoded = bytearray(encode_content(content, int(content.COUNTED)))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    _decodes_or_is_malformed(bytes(encoded))


FILE = FileId(b"f" * 16)
KEY = FileKey(b"k" * 32)
TOKEN = b"t" * 16
HERE = Address(b"\x7f\x00\x00\x01", 4000)
UFRAG, PWD = "abcd", "p" * 22
NAME = b"01234567-89ab-cdef-0123-456789abcdef.local"


def candidate(address: bytes = HERE.ip, port: int = 9, priority: int = 5) -> IceCandidate:
    return IceCandidate(CandidateKind.RELAYED, priority, address, port)


LAST = MessageReference(Author.RECEIVER, MAX_NUMBER)


OVER_THE_LIMIT: list[Any] = [
    Text(""),
    Text("a" * (MAX_TEXT_BYTES + 1)),
    Text("é" * (MAX_TEXT_BYTES // 2 + 1)),
    Text("\ud800"),
    Text("a", MessageReference(Author.SENDER, 0)),
    Text("a", MessageReference(Author.SENDER, MAX_NUMBER + 1)),
    Receipt(ReceiptKind.READ, 0),
    Receipt(ReceiptKind.READ, MAX_NUMBER + 1),
    Receipt(ReceiptKind.READ, 5, (Run(4, 6),)),
    Receipt(ReceiptKind.READ, 5, (Run(3, 2),)),
    Receipt(ReceiptKind.READ, 5, (Run(0, 2),)),
    Receipt(ReceiptKind.READ, 9, (Run(3, 4), Run(5, 6))),
    Receipt(ReceiptKind.READ, 99, tuple(Run(3 * i + 1, 3 * i + 1) for i in range(MAX_LOST_RUNS + 1))),
    FileOffer(FILE, KEY, MAX_FILE_BYTES + 1, "a", ""),
    FileOffer(FILE, KEY, 2**63, "a", ""),
    FileOffer(FILE, KEY, -1, "a", ""),
    FileOffer(FileId(b"f"), KEY, 1, "a", ""),
    FileOffer(FILE, KEY, 1, "", ""),
    FileOffer(FILE, KEY, 1, "a" * (MAX_NAME_BYTES + 1), ""),
    FileOffer(FILE, KEY, 1, "é" * 128, ""),
    FileOffer(FILE, KEY, 1, "a", "image/\x1b"),
    FileOffer(FILE, KEY, 1, "a", "é"),
    FileOffer(FILE, KEY, 1, "a", "x" * (MAX_MEDIA_TYPE_BYTES + 1)),
    FileRequest(FILE, -1),
    FileAck(FILE, MAX_NUMBER + 1),
    FileAck(FileId(b"f" * 17), 1),
    FileCancel(FileId(b""), FileCancelReason.FAILED),
    FileDone(FileId(b"f" * 15)),
    Heartbeat(-1),
    Heartbeat(MAX_NUMBER + 1),
    Resume(False, MAX_NUMBER + 1),
    Resume(False, 5, (6,)),
    Resume(False, 5, (0,)),
    Resume(False, 5, (3, 3)),
    Resume(False, 5, (3, 2)),
    Resume(False, 99, tuple(range(1, MAX_HOLES + 2))),
    Bye(ByeReason.IDLE, MAX_NUMBER + 1),
    ListUpdate(A_LIST[:-1]),
    ListUpdate(bytes(5000)),
    ListReport(0, bytes(32)),
    ListReport(1, bytes(31)),
    LineOffer(b"t" * 15, ()),
    LineOffer(TOKEN, (HERE,) * (MAX_LINE_ADDRESSES + 1)),
    LineOffer(TOKEN, (Address(b"\x7f\x00\x00", 4000),)),
    LineAnswer(TOKEN, (Address(b"\x7f\x00\x00\x01", 0),)),
    LineAnswer(TOKEN, (Address(b"\x7f\x00\x00\x01", 0x10000),)),
    RtcOffer(b"t" * 15, RtcPolicy.ALL, UFRAG, PWD),
    RtcOffer(TOKEN, RtcPolicy.ALL, "abc", PWD),
    RtcOffer(TOKEN, RtcPolicy.ALL, "u" * 33, PWD),
    RtcOffer(TOKEN, RtcPolicy.ALL, "abc\n", PWD),
    RtcOffer(TOKEN, RtcPolicy.ALL, "abcd\r\na=candidate", PWD),
    RtcOffer(TOKEN, RtcPolicy.ALL, "abcé", PWD),
    RtcAnswer(TOKEN, RtcPolicy.ALL, UFRAG, "p" * 21),
    RtcAnswer(TOKEN, RtcPolicy.ALL, UFRAG, "p" * 129),
    RtcAnswer(TOKEN, RtcPolicy.ALL, UFRAG, "p" * 22 + " "),
    RtcCandidates(b"", UFRAG, ()),
    RtcCandidates(TOKEN, "abc", ()),
    RtcCandidates(TOKEN, UFRAG, (candidate(),) * (MAX_CANDIDATES_AT_ONCE + 1)),
    RtcCandidates(TOKEN, UFRAG, (candidate(port=0),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(port=0x10000),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(priority=-1),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(priority=2**32),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(b""),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(bytes(5)),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(NAME.upper()),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(NAME + b"\n"),)),
    RtcCandidates(TOKEN, UFRAG, (candidate(b"peer.example" + NAME[12:]),)),
    RtcClose(TOKEN[1:], RtcCloseReason.BROKE),
    TextEdit(0, "a"),
    TextEdit(MAX_NUMBER + 1, "a"),
    TextEdit(1, ""),
    TextEdit(1, "a" * (MAX_TEXT_BYTES + 1)),
    TextEdit(1, "\ud800"),
    TextDelete(0),
    TextDelete(MAX_NUMBER + 1),
    Reaction(MessageReference(Author.SENDER, 0), "+"),
    Reaction(LAST, "+" * (MAX_REACTION_BYTES + 1)),
    Reaction(LAST, "\u2764" * 11),
    *(
        Reaction(LAST, "+" + acting)
        for acting in "\x00\n\x1b\x7f\x9b\u061c\u200b\u200e\u202e\u2066\ufeff\U000e0041"
    ),
    *(Reaction(LAST, unseen) for unseen in (" ", "\u200d", "\ufe0f\ufe0f", "\u3000", "\u2800")),
]


@pytest.mark.parametrize("content", OVER_THE_LIMIT, ids=lambda content: type(content).__name__)
def test_our_own_side_cannot_say_what_breaks_a_limit(content: Content) -> None:
    with pytest.raises(LocalProtocolError):
        encode_content(content, int(content.COUNTED))


def _writable(content: Content) -> bool:
    try:
        content.encode_body()
    except (struct.error, OverflowError, UnicodeEncodeError):
        return False
    return True


@pytest.mark.parametrize(
    "content", [c for c in OVER_THE_LIMIT if _writable(c)], ids=lambda content: type(content).__name__
)
def test_s11_a_value_over_its_limit_is_malformed(content: Content) -> None:
    with pytest.raises(MalformedError):
        decode_content(struct.pack(">BI", content.TYPE, int(content.COUNTED)) + content.encode_body())


AT_THE_LIMIT: list[Any] = [
    TextEdit(MAX_NUMBER, "a" * MAX_TEXT_BYTES),
    Reaction(LAST, "+" * MAX_REACTION_BYTES),
    Text("a" * MAX_TEXT_BYTES),
    Text("é" * (MAX_TEXT_BYTES // 2)),
    Receipt(ReceiptKind.READ, 99, tuple(Run(3 * i + 1, 3 * i + 2) for i in range(MAX_LOST_RUNS))),
    Receipt(ReceiptKind.DELIVERED, 5, (Run(1, 5),)),
    FileOffer(FILE, KEY, MAX_FILE_BYTES, "é" * 127 + "a", "x" * MAX_MEDIA_TYPE_BYTES),
    Resume(True, MAX_HOLES, tuple(range(1, MAX_HOLES + 1))),
    LineOffer(TOKEN, (HERE,) * MAX_LINE_ADDRESSES),
    RtcOffer(TOKEN, RtcPolicy.ALL, "u" * 32, "p" * 128),
    RtcCandidates(TOKEN, UFRAG, (candidate(NAME, 0xFFFF, 2**32 - 1),) * MAX_CANDIDATES_AT_ONCE),
]


@pytest.mark.parametrize("content", AT_THE_LIMIT, ids=lambda content: type(content).__name__)
def test_a_value_at_its_limit_passes(content: Content) -> None:
    number = MAX_NUMBER if content.COUNTED else 0
    assert decode_content(encode_content(content, number)) == (number, content)


def test_s11_text_that_is_not_utf8_is_malformed() -> None:
    for body in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
        with pytest.raises(MalformedError, match="UTF-8"):
            decode_content(b"\x01\x00\x00\x00\x01" + bytes(5) + body)


def test_a_number_must_fit_its_type() -> None:
    for content, number in ((Text("a"), 0), (Typing(True), 1)):
        with pytest.raises(LocalProtocolError):
            encode_content(content, number)
        with pytest.raises(MalformedError):
            decode_content(struct.pack(">BI", content.TYPE, number) + content.encode_body())
    with pytest.raises(LocalProtocolError):
        encode_content(Text("a"), MAX_NUMBER + 1)


def test_an_unknown_type_is_skipped_but_keeps_its_number() -> None:
    assert decode_content(b"\xfe\x00\x00\x00\x07" + os.urandom(9)) == (7, Unknown(0xFE))
    assert decode_content(b"\xfe\x00\x00\x00\x00") == (0, Unknown(0xFE))


def test_a_goodbye_for_an_unknown_reason_is_still_a_goodbye() -> None:
    assert decode_content(b"\x22\x00\x00\x00\x00\xee\x00\x00\x00\x09") == (0, Bye(ByeReason.OTHER, 9))


def test_a_line_closed_for_an_unknown_reason_is_still_closed() -> None:
    assert decode_content(b"\x46\x00\x00\x00\x01" + TOKEN + b"\xee") == (
        1,
        RtcClose(TOKEN, RtcCloseReason.BROKE),
    )


def test_a_file_key_has_32_bytes() -> None:
    with pytest.raises(LocalProtocolError, match="32 bytes"):
        FileKey(b"k" * 31)


def test_repr_shows_no_content() -> None:
    secret = "canary-canary"
    shown = [
        Text(secret),
        TextEdit(1, secret),
        Reaction(LAST, secret),
        FileOffer(FILE, FileKey(secret.encode().ljust(32)), 5, secret, secret),
        LineOffer(secret.encode().ljust(16), (Address(b"cana", 0x7279),)),
        LineAnswer(secret.encode().ljust(16), ()),
        ListUpdate(secret.encode()),
        RtcOffer(secret.encode().ljust(16), RtcPolicy.ALL, secret, secret),
        RtcAnswer(secret.encode().ljust(16), RtcPolicy.ALL, secret, secret),
        RtcCandidates(secret.encode().ljust(16), secret, (candidate(b"cana", 0x7279),)),
        RtcClose(secret.encode().ljust(16), RtcCloseReason.BROKE),
    ]
    for content in shown:
        assert "cana" not in repr(content)
        assert str(0x7279) not in repr(content)
