"""Files over a line in memory: whole or not at all, where the person said, under a safe name."""

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.client.pair import Pair, make_pair
from tests.client.test_conversation import next_of

from whisp.client.errors import FileFault, FileTransferError
from whisp.client.events import FileCancelled, FileCompleted, FileOffered, FileProgress, TextReceived
from whisp.client.file_target import FolderTarget
from whisp.client.files import IncomingFile, OutgoingFile
from whisp.client.transport.memory import MemoryTransport
from whisp.core.content import FileOffer
from whisp.core.file_key import FileKey, new_file_id
from whisp.core.file_stream import CHUNK_FRAME_TYPE
from whisp.wire.errors import LocalProtocolError

CHUNK = 65_536


async def offer(pair: Pair, folder: Path, size: int) -> tuple[OutgoingFile, IncomingFile]:
    """Offer a random file from the caller; return both ends."""
    source = folder / "source"
    source.write_bytes(os.urandom(size))
    outgoing = await pair.caller.send_file(source, name="report.pdf", media_type="application/pdf")
    return outgoing, (await next_of(pair.callee, FileOffered)).file


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3_000_000, 9 * 1024 * 1024])
async def test_a_file_arrives_whole(tmp_path: Path, inbox: Path, size: int) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, size)
    assert (incoming.name, incoming.size, incoming.media_type) == ("report.pdf", size, "application/pdf")
    assert not list(inbox.iterdir())
    await incoming.accept(inbox)
    saved = await incoming.done()
    await outgoing.done()
    assert saved == inbox / "report.pdf"
    assert saved.read_bytes() == (tmp_path / "source").read_bytes()
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert list(inbox.iterdir()) == [saved]
    assert (await next_of(pair.callee, FileCompleted)).path == saved
    assert outgoing.progress == incoming.progress == size


async def test_files_go_both_ways_at_once_and_texts_pass_between(tmp_path: Path, inbox: Path) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 6_000_000)
    back = await pair.callee.send_file(tmp_path / "source", name="back")
    other = (await next_of(pair.caller, FileOffered)).file
    await incoming.accept(inbox)
    await other.accept(inbox)
    await pair.caller.send_text("still here")
    assert (await next_of(pair.callee, TextReceived)).text == "still here"
    paths = await asyncio.gather(incoming.done(), other.done())
    await asyncio.gather(outgoing.done(), back.done())
    assert all(path and path.read_bytes() == (tmp_path / "source").read_bytes() for path in paths)


async def test_a_reader_feeds_and_a_sink_takes(tmp_path: Path) -> None:
    class Reader:
        def __init__(self, data: bytes) -> None:
            self.data = data

        async def read(self, count: int, /) -> bytes:
            taken, self.data = self.data[: min(count, 1000)], self.data[min(count, 1000) :]
            return taken

    pair, data, taken = await make_pair(), os.urandom(500_000), bytearray()

    async def sink(part: bytes) -> None:
        taken.extend(part)
        await asyncio.sleep(0)

    outgoing = await pair.caller.send_file(Reader(data), name="stream", size=len(data))
    incoming = (await next_of(pair.callee, FileOffered)).file
    await incoming.accept(sink)
    assert await incoming.done() is None
    await outgoing.done()
    assert taken == data


async def test_a_reader_needs_a_name_and_a_size() -> None:
    pair = await make_pair()

    class Reader:
        async def read(self, count: int, /) -> bytes:
            return b""

    with pytest.raises(LocalProtocolError):
        await pair.caller.send_file(Reader(), name="stream")


async def test_a_file_that_shrank_while_it_was_sent_fails_on_both_sides(tmp_path: Path, inbox: Path) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 8_000_000)
    os.truncate(tmp_path / "source", 3_000_000)
    await incoming.accept(inbox)
    with pytest.raises(FileTransferError) as caught:
        await outgoing.done()
    assert caught.value.fault is FileFault.UNREADABLE
    with pytest.raises(FileTransferError) as caught:
        await incoming.done()
    assert caught.value.fault is FileFault.PEER_CANCELLED
    await asyncio.sleep(0.05)
    assert not list(inbox.iterdir())


@pytest.mark.parametrize("path", ["missing", "."])
async def test_what_is_no_regular_file_is_not_sent(tmp_path: Path, path: str) -> None:
    pair = await make_pair()
    with pytest.raises(FileTransferError):
        await pair.caller.send_file(tmp_path / path)


async def test_declining_tells_the_sender(tmp_path: Path) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 10)
    await incoming.decline()
    with pytest.raises(FileTransferError) as caught:
        await outgoing.done()
    assert caught.value.fault is FileFault.DECLINED
    with pytest.raises(FileTransferError):
        await incoming.accept(tmp_path)


@pytest.mark.parametrize("side", ["sender", "receiver"])
async def test_cancelling_deletes_what_had_arrived(tmp_path: Path, inbox: Path, side: str) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 20_000_000)
    await incoming.accept(inbox)
    await next_of(pair.callee, FileProgress)
    await (outgoing if side == "sender" else incoming).cancel()
    for end in (outgoing, incoming):
        with pytest.raises(FileTransferError):
            await end.done()
    told = await next_of(pair.callee, FileCancelled)
    assert told.reason in (FileFault.CANCELLED, FileFault.PEER_CANCELLED)
    await asyncio.sleep(0.1)
    assert not list(inbox.iterdir())


async def test_hanging_up_deletes_what_had_arrived(tmp_path: Path, inbox: Path) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 20_000_000)
    await incoming.accept(inbox)
    await next_of(pair.callee, FileProgress)
    await pair.caller.hang_up()
    for end in (outgoing, incoming):
        with pytest.raises(FileTransferError) as caught:
            await end.done()
        assert caught.value.fault is FileFault.ENDED
    await asyncio.sleep(0.1)
    assert not list(inbox.iterdir())


@pytest.mark.usefixtures("slow_disk")
async def test_a_transfer_goes_on_where_the_line_broke(tmp_path: Path, inbox: Path) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 30_000_000)
    await incoming.accept(inbox)
    for _ in range(3):
        await next_of(pair.callee, FileProgress)
        pair.cut()
        await asyncio.sleep(0.02)
        pair.rejoin()
    path = await incoming.done()
    await outgoing.done()
    assert path is not None
    assert path.read_bytes() == (tmp_path / "source").read_bytes()


async def test_a_request_that_comes_while_a_chunk_is_read_leaves_none_out(inbox: Path) -> None:
    content, reading, go_on = os.urandom(20 * CHUNK), asyncio.Event(), asyncio.Event()

    class SlowAtTheSixth:
        read_so_far = 0

        async def read(self, count: int, /) -> bytes:
            start = self.read_so_far
            if start == 5 * CHUNK:
                reading.set()
                await go_on.wait()
            self.read_so_far += count
            return content[start : start + count]

    pair = await make_pair()
    outgoing = await pair.caller.send_file(SlowAtTheSixth(), name="report.pdf", size=len(content))
    incoming = (await next_of(pair.callee, FileOffered)).file
    # A line that is about to go swallows the chunks from the fourth on.
    pair.caller_line.tamper = lambda frame: [] if frame[0] == CHUNK_FRAME_TYPE and frame[20] >= 3 else [frame]
    await incoming.accept(inbox)
    await reading.wait()
    pair.cut()
    pair.rejoin()
    while not outgoing._again:
        await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(10):
        assert await incoming.done() == inbox / "report.pdf"
        await outgoing.done()
    assert (inbox / "report.pdf").read_bytes() == content


async def test_a_request_made_twice_because_the_line_is_slow_is_answered_twice(
    tmp_path: Path, inbox: Path
) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 9_000_000)
    await incoming.accept(inbox)
    pair.cut()
    pair.rejoin()
    pair.caller_line.tamper = delayed(pair.callee_line)
    for _ in range(4):
        incoming.line_back()
        await asyncio.sleep(0.01)
    async with asyncio.timeout(20):
        await incoming.done()
        await outgoing.done()
    assert (inbox / "report.pdf").read_bytes() == (tmp_path / "source").read_bytes()


def delayed(end: MemoryTransport) -> Callable[[bytes], list[bytes]]:
    """Let what is sent reach `end` a little later, in order."""

    def arrive(frame: bytes) -> None:
        end._queue.append(frame)
        end._schedule()

    def tamper(frame: bytes) -> list[bytes]:
        asyncio.get_running_loop().call_later(0.02, arrive, frame)
        return []

    return tamper


@pytest.mark.usefixtures("slow_disk")
async def test_a_request_from_before_what_was_acknowledged_is_late(tmp_path: Path, inbox: Path) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 9_000_000)
    await incoming.accept(inbox)
    while outgoing.progress == 0:
        await asyncio.sleep(0.005)
    outgoing.requested(0)
    assert await incoming.done() is not None
    await outgoing.done()


async def test_a_full_disk_cancels_with_its_reason(
    tmp_path: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await make_pair()
    outgoing, incoming = await offer(pair, tmp_path, 5_000_000)
    whole = FolderTarget._write_all

    def fail_later(self: FolderTarget, parts: Sequence[bytes]) -> None:
        if os.fstat(self._descriptor or 0).st_size > 2_000_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, parts)

    monkeypatch.setattr(FolderTarget, "_write_all", fail_later)
    await incoming.accept(inbox)
    with pytest.raises(FileTransferError) as caught:
        await incoming.done()
    assert caught.value.fault is FileFault.DISK_FULL
    with pytest.raises(FileTransferError):
        await outgoing.done()
    await asyncio.sleep(0.05)
    assert not list(inbox.iterdir())


async def test_a_size_beyond_the_disk_is_refused_before_anything_moves(inbox: Path) -> None:
    pair = await make_pair()
    vast = FileOffer(new_file_id(), FileKey.generate(), 2**47, "vast", "")
    await pair.caller.send_content(vast)
    incoming = (await next_of(pair.callee, FileOffered)).file
    with pytest.raises(FileTransferError) as caught:
        await incoming.accept(inbox)
    assert caught.value.fault is FileFault.DISK_FULL
    assert not list(inbox.iterdir())


async def test_a_flood_of_offers_is_declined_unseen() -> None:
    pair = await make_pair()
    for number in range(60):
        await pair.caller.send_content(FileOffer(new_file_id(), FileKey.generate(), 1, f"f{number}", ""))
    await pair.caller.send_text("end")
    offered = 0
    while not isinstance(event := await pair.callee.receive(), TextReceived):
        offered += isinstance(event, FileOffered)
    assert offered == 32
