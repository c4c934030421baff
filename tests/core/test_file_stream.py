"""A file arrives whole and as it was, or its transfer fails; nothing in between."""

import hashlib
import os
import resource
import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisp.core.content import MAX_FILE_BYTES, FileOffer
from whisp.core.errors import DecryptionError, SessionEndedError
from whisp.core.file_key import FileId, FileKey, new_file_id
from whisp.core.file_stream import (
    ACK_CHUNKS,
    CHUNK_BYTES,
    CHUNK_HEADER_BYTES,
    MAX_CHUNK_FRAME_BYTES,
    WINDOW_CHUNKS,
    FileReceiver,
    FileSender,
    WindowFullError,
    chunk_count,
    peek_file_id,
)
from whisp.core.padding import padme
from whisp.wire.errors import LocalProtocolError, MalformedError, RemoteProtocolError, WhispError

SID = b"s" * 16
ID = FileId(b"f" * 16)
KEY = b"k" * 32


def ends(size: int, *, file_id: FileId = ID, key: bytes = KEY) -> tuple[FileSender, FileReceiver]:
    return FileSender(SID, file_id, FileKey(key), size), FileReceiver(SID, file_id, FileKey(key), size)


def plaintext_of(content: bytes, index: int) -> bytes:
    return content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]


def frames_of(sender: FileSender, content: bytes) -> list[bytes]:
    """Seal a whole small file."""
    return [sender.chunk(i, plaintext_of(content, i)) for i in range(sender.count)]


@pytest.mark.parametrize(
    "size", [0, 1, 255, 65_535, 65_536, 65_537, 67_585, 131_072, 131_073, 1_000_000, 3_000_001]
)
def test_a_file_arrives_as_it_was(size: int) -> None:
    content = os.urandom(size)
    sender, receiver = ends(size)
    arrived = b""
    for index in range(sender.count):
        frame = sender.chunk(index, plaintext_of(content, index))
        assert peek_file_id(frame) == ID
        assert len(frame) <= MAX_CHUNK_FRAME_BYTES
        arrived += receiver.receive(frame)
        assert receiver.is_done is (index == sender.count - 1)
        sender.acknowledge(receiver.next_chunk)
    assert arrived == content
    assert sender.is_done


def test_an_empty_file_is_one_empty_chunk() -> None:
    sender, receiver = ends(0)
    assert sender.count == 1
    frame = sender.chunk(0, b"")
    assert len(frame) == CHUNK_HEADER_BYTES + 16
    assert frame[21] == 1
    assert receiver.receive(frame) == b""
    assert receiver.is_done


@given(st.integers(0, 2**48))
def test_the_line_shows_only_the_padded_size(size: int) -> None:
    assert chunk_count(size) == chunk_count(padme(size))
    sender, _ = ends(size)
    assert sender.count == max(1, (padme(size) + CHUNK_BYTES - 1) // CHUNK_BYTES)
    assert sender.content_bytes(sender.count) == 0
    assert sender.content_bytes(0) == min(size, CHUNK_BYTES)


def test_chunks_that_are_all_padding_bring_nothing() -> None:
    size = 100 * CHUNK_BYTES + 1
    padding = chunk_count(size) - 101
    assert padding > 0
    sender, receiver = ends(size)
    for index in range(sender.count):
        arrived = receiver.receive(sender.chunk(index, bytes(sender.content_bytes(index))))
        assert len(arrived) == sender.content_bytes(index)
        sender.acknowledge(index + 1)
    assert receiver.is_done


# What the receiver refuses


CONTENT = bytes(range(256)) * 1200  # five chunks


def refuses(receiver: FileReceiver, frame: bytes, error: type[WhispError] = MalformedError) -> None:
    before = receiver.next_chunk
    with pytest.raises(error):
        receiver.receive(frame)
    assert receiver.next_chunk == before


def test_s35_chunks_missing_repeated_or_swapped_are_refused() -> None:
    sender, receiver = ends(len(CONTENT))
    frames = frames_of(sender, CONTENT)
    refuses(receiver, frames[1])
    receiver.receive(frames[0])
    refuses(receiver, frames[0])
    refuses(receiver, frames[2])
    refuses(receiver, frames[-1])
    assert receiver.receive(frames[1]) == plaintext_of(CONTENT, 1)


def test_s35_nothing_follows_the_last_chunk() -> None:
    sender, receiver = ends(5)
    frame = sender.chunk(0, b"plain")
    receiver.receive(frame)
    refuses(receiver, frame)
    with pytest.raises(LocalProtocolError):
        sender.chunk(1, b"")


def test_s35_a_flag_or_a_place_cannot_be_changed() -> None:
    sender, receiver = ends(len(CONTENT))
    frames = frames_of(sender, CONTENT)
    early_last = bytearray(frames[0])
    early_last[21] = 1
    refuses(receiver, bytes(early_last))
    early_last[21] = 2
    refuses(receiver, bytes(early_last))
    moved = bytearray(frames[1])
    moved[20] = 0
    refuses(receiver, bytes(moved), DecryptionError)
    for frame in frames[:-1]:
        receiver.receive(frame)
    late = bytearray(frames[-1])
    late[21] = 0
    refuses(receiver, bytes(late))
    assert not receiver.is_done, "a file that ends without its last chunk is not whole"


def test_s35_a_shorter_file_sealed_with_the_same_key_does_not_pass() -> None:
    """The peer promises five chunks and sends a file of one: its last flag comes early."""
    short, _ = ends(5)
    _, receiver = ends(len(CONTENT))
    refuses(receiver, short.chunk(0, b"plain"))


def test_s35_another_size_of_as_many_chunks_does_not_open() -> None:
    sender, _ = ends(CHUNK_BYTES + 2048 + 1)
    _, receiver = ends(CHUNK_BYTES + 4096 + 1)
    assert sender.count == receiver.count
    frame = sender.chunk(0, bytes(CHUNK_BYTES))
    refuses(receiver, frame, DecryptionError)


@pytest.mark.parametrize("other", ["id", "key", "session"])
def test_s35_a_chunk_of_another_file_is_refused(other: str) -> None:
    _, receiver = ends(5)
    if other == "id":
        sender = FileSender(SID, FileId(b"g" * 16), FileKey(KEY), 5)
        frame = sender.chunk(0, b"plain")
        refuses(receiver, frame)
        refuses(receiver, frame[:1] + ID + frame[17:], DecryptionError)
        return
    sid, key = (SID, b"x" * 32) if other == "key" else (b"t" * 16, KEY)
    refuses(receiver, FileSender(sid, ID, FileKey(key), 5).chunk(0, b"plain"), DecryptionError)


def test_s35_padding_that_hides_something_is_refused() -> None:
    size = padme(9)
    assert size == 10
    lying, _ = ends(10)
    _, receiver = ends(9)
    refuses(receiver, lying.chunk(0, b"123456789x"))
    honest, _ = ends(10)
    assert receiver.receive(honest.chunk(0, b"123456789\x00")) == b"123456789"


@given(st.integers(0, 200), st.data())
def test_s11_truncated_longer_and_altered_frames_change_nothing(size: int, data: st.DataObject) -> None:
    sender, receiver = ends(size)
    frame = sender.chunk(0, bytes(size))
    cut = data.draw(st.integers(0, len(frame) - 1))
    place = data.draw(st.integers(0, len(frame) - 1))
    altered = bytearray(frame)
    altered[place] ^= data.draw(st.integers(1, 255))
    for wrong in (frame[:cut], frame + b"\x00", bytes(altered), b""):
        refuses(receiver, wrong, RemoteProtocolError)
    assert receiver.receive(frame) == bytes(size)


@pytest.mark.parametrize("frame", [b"", b"\x11" * 21, b"\x10" * 40])
def test_s11_what_is_no_chunk_names_no_file(frame: bytes) -> None:
    with pytest.raises(MalformedError):
        peek_file_id(frame)


def test_s35_impossible_sizes_are_refused_before_anything_is_kept() -> None:
    for size in (-1, MAX_FILE_BYTES + 1, 2**63, 2**64 - 1):
        with pytest.raises(LocalProtocolError):
            ends(size)
        assert FileOffer(ID, FileKey(KEY), size, "a", "").fault() is not None
    largest, _ = ends(MAX_FILE_BYTES)
    assert largest.count == 2**32, "the last chunk has the last u32 index"


# Flow and resumption


def test_the_window_stops_a_sender_nobody_acknowledges() -> None:
    sender, _ = ends(200 * CHUNK_BYTES)
    chunk = bytes(CHUNK_BYTES)
    for index in range(WINDOW_CHUNKS):
        sender.chunk(index, chunk)
    assert sender.is_window_full
    with pytest.raises(WindowFullError):
        sender.chunk(WINDOW_CHUNKS, chunk)
    sender.acknowledge(ACK_CHUNKS)
    for index in range(WINDOW_CHUNKS, WINDOW_CHUNKS + ACK_CHUNKS):
        sender.chunk(index, chunk)
    with pytest.raises(WindowFullError):
        sender.chunk(WINDOW_CHUNKS + ACK_CHUNKS, chunk)


def test_an_acknowledgement_is_due_four_times_a_window_and_at_the_end() -> None:
    sender, receiver = ends(ACK_CHUNKS * CHUNK_BYTES + 5)
    due = []
    for index in range(sender.count):
        receiver.receive(sender.chunk(index, bytes(sender.content_bytes(index))))
        if receiver.is_ack_due:
            due.append(index + 1)
    assert due == [ACK_CHUNKS, sender.count]


def test_resuming_brings_the_same_bytes_even_if_the_source_has_changed() -> None:
    sender, receiver = ends(len(CONTENT))
    frames = [sender.chunk(i, plaintext_of(CONTENT, i)) for i in range(4)]
    receiver.receive(frames[0])
    assert sender.rewind(receiver.next_chunk) == tuple(frames[1:])
    assert sender.chunk(2, b"another source, one nonce") == frames[2]
    assert sender.next_chunk == 4
    for frame in frames[1:]:
        receiver.receive(frame)
    receiver.receive(sender.chunk(4, plaintext_of(CONTENT, 4)))
    assert receiver.is_done


def test_s35_requests_and_acknowledgements_out_of_range_are_the_peers_fault() -> None:
    sender, _ = ends(len(CONTENT))
    for index in range(3):
        sender.chunk(index, plaintext_of(CONTENT, index))
    sender.acknowledge(2)
    for chunk in (1, 0, -1, 4, 2**32 - 1):
        with pytest.raises(MalformedError):
            sender.rewind(chunk)
    with pytest.raises(MalformedError):
        sender.acknowledge(4)
    sender.acknowledge(1)
    assert sender.acknowledged == 2, "an old one that was overtaken changes nothing"
    assert sender.rewind(3) == ()


def test_no_chunk_is_sealed_twice() -> None:
    sender, _ = ends(len(CONTENT))
    sender.chunk(0, plaintext_of(CONTENT, 0))
    sender.acknowledge(1)
    for index in (0, 2, 5, -1):
        with pytest.raises(LocalProtocolError):
            sender.chunk(index, plaintext_of(CONTENT, 0))
    with pytest.raises(LocalProtocolError):
        sender.chunk(1, b"too short")


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_s35_any_interruption_ends_in_the_whole_file(seed: int, chunks: int) -> None:
    rng = Random(seed)
    content = rng.randbytes(chunks * 512 + rng.randrange(512))
    size = len(content) * 128  # many chunks from few bytes
    sender, receiver = ends(size)
    source = memoryview(content * 128)
    arrived = hashlib.sha256()
    line: list[bytes] = []
    while not receiver.is_done:
        while sender.next_chunk < sender.count and not sender.is_window_full and rng.random() < 0.9:
            index = sender.next_chunk
            line.append(sender.chunk(index, source[index * CHUNK_BYTES :][: sender.content_bytes(index)]))
        for frame in line[: rng.randrange(20)]:
            arrived.update(receiver.receive(frame))
            if receiver.is_ack_due:
                sender.acknowledge(receiver.next_chunk)
        line = list(sender.rewind(receiver.next_chunk))
    assert arrived.digest() == hashlib.sha256(source).digest()


@pytest.mark.nightly
def test_s35_ten_gibibytes_pass_through_bounded_memory() -> None:
    size = 10 * 2**30
    sender, receiver = ends(size)
    chunk = os.urandom(CHUNK_BYTES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for index in range(sender.count):
        receiver.receive(sender.chunk(index, chunk[: sender.content_bytes(index)]))
        if receiver.is_ack_due:
            sender.acknowledge(receiver.next_chunk)
    assert receiver.is_done
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def test_memory_at_both_ends_is_bounded() -> None:
    sender, receiver = ends(300 * CHUNK_BYTES)
    chunk = bytes(CHUNK_BYTES)
    for index in range(sender.count):
        receiver.receive(sender.chunk(index, chunk[: sender.content_bytes(index)]))
        sender.acknowledge(index + 1)
    assert sum(map(sys.getsizeof, sender._window)) <= WINDOW_CHUNKS * (MAX_CHUNK_FRAME_BYTES + 64)


# Secrets


def test_s29_a_wiped_stream_keeps_and_does_nothing() -> None:
    sender, receiver = ends(10)
    frame = sender.chunk(0, b"0123456789")
    for stream in (sender, receiver):
        stream.wipe()
        stream.wipe()
        assert stream._cipher is None
    assert not sender._window
    for use in (
        lambda: sender.chunk(0),
        lambda: sender.acknowledge(1),
        lambda: sender.rewind(0),
        lambda: receiver.receive(frame),
    ):
        with pytest.raises(SessionEndedError):
            use()


def test_repr_shows_nothing() -> None:
    for stream in ends(10):
        assert repr(stream) == f"{type(stream).__name__}(<redacted>)"
    assert "6b6b" not in repr(FileKey(KEY))
    assert "kk" not in repr(FileKey(KEY))


def test_ids_and_keys_are_fresh() -> None:
    assert len({new_file_id() for _ in range(50)}) == 50
    assert len({FileKey.generate().expose() for _ in range(50)}) == 50
