"""S-35: names and streams that a peer made to hurt."""

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.pair import Pair, make_pair
from tests.client.test_conversation import next_of

from whisp.client.errors import FileFault, FileTransferError
from whisp.client.events import FileOffered
from whisp.client.file_name import MAX_SAFE_BYTES, numbered_names, safe_name
from whisp.core.content import FileRequest
from whisp.core.file_key import FileId

CHUNK_TYPE = 0x11

NAMES = [
    "../../x",
    "/etc/passwd",
    "C:\\x",
    "..",
    ".",
    "CON",
    "nul.txt",
    "LPT1 .txt",
    "trailing.",
    "trailing ",
    "n\x00ul",
    "a" * 255,
    "é" * 127,
    "invoice\u202efdp.exe",
    "archive.tar.gz",
    "-rf",
    ".bashrc",
    "con\ntrol\x1b[2J",
    "\u2066\u2069",
    "a/b\\c",
    "stream:ads",
    "*?<>|",
    " ",
]


@pytest.mark.parametrize("name", NAMES)
async def test_s35_every_name_is_saved_below_the_folder_and_nowhere_else(name: str, tmp_path: Path) -> None:
    pair = await make_pair()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "source").write_bytes(b"harmless")
    await pair.caller.send_file(tmp_path / "source", name=name)
    file = (await next_of(pair.callee, FileOffered)).file
    assert file.name == name
    await file.accept(inbox)
    saved = await file.done()
    assert saved is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inbox", "source"]
    assert [saved] == list(inbox.iterdir())
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert saved.read_bytes() == b"harmless"


@given(st.text(max_size=300))
def test_s35_a_safe_name_is_safe_whatever_it_came_from(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= MAX_SAFE_BYTES + 1
    assert not set(safe) & set('/\\:*?"<>|\x00')
    assert safe.isprintable()
    assert safe[0] not in " .-"
    assert safe[-1] not in " ."
    assert safe.split(".")[0].rstrip().casefold() not in ("con", "prn", "aux", "nul", "com1", "lpt9")
    assert safe_name(safe) == safe


def test_s35_what_a_person_recognises_stays() -> None:
    for name in ("report.pdf", "Bericht März 2026.docx", "写真.jpg", "a.b.c", "100% (final).txt"):
        assert safe_name(name) == name
    assert list(zip(numbered_names("a.tar.gz"), range(3), strict=False))[1][0] == "a.tar (2).gz"


async def test_s35_nothing_is_overwritten_and_no_link_is_followed(tmp_path: Path) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    inbox.mkdir()
    outside.write_bytes(b"dear")
    (inbox / "report.pdf").write_bytes(b"mine")
    (inbox / "report (2).pdf").symlink_to(outside)
    (inbox / "report (3).pdf").symlink_to(tmp_path / "dangling")
    saved = await _receive(tmp_path, inbox, b"theirs")
    assert saved == inbox / "report (4).pdf"
    assert (inbox / "report.pdf").read_bytes() == b"mine"
    assert outside.read_bytes() == b"dear"
    assert not (tmp_path / "dangling").exists()


async def test_s35_a_folder_swapped_meanwhile_leads_nowhere_else(tmp_path: Path) -> None:
    inbox, other = tmp_path / "inbox", tmp_path / "other"
    inbox.mkdir()
    other.mkdir()
    pair = await make_pair()
    (tmp_path / "source").write_bytes(os.urandom(5_000_000))
    await pair.caller.send_file(tmp_path / "source", name="report.pdf")
    file = (await next_of(pair.callee, FileOffered)).file
    await file.accept(inbox)
    inbox.rename(tmp_path / "moved")
    inbox.symlink_to(other)
    await file.done()
    assert list(other.iterdir()) == []
    assert [path.name for path in (tmp_path / "moved").iterdir()] == ["report.pdf"]


async def _receive(tmp_path: Path, inbox: Path, content: bytes) -> Path | None:
    pair = await make_pair()
    (tmp_path / "source").write_bytes(content)
    await pair.caller.send_file(tmp_path / "source", name="report.pdf")
    file = (await next_of(pair.callee, FileOffered)).file
    await file.accept(inbox)
    return await file.done()


def _index(frame: bytes) -> int:
    return int.from_bytes(frame[17:21], "big")


class Stream:
    """Changes the chunks of a stream on their way; leaves messages alone."""

    def __init__(self, change: Callable[[bytes, list[bytes]], list[bytes]]) -> None:
        self._change = change
        self._before: list[bytes] = []

    def __call__(self, frame: bytes) -> list[bytes]:
        if frame[0] != CHUNK_TYPE:
            return [frame]
        changed = self._change(frame, self._before)
        self._before.append(frame)
        return changed


FAULTS: dict[str, Callable[[bytes, list[bytes]], list[bytes]]] = {
    "missing": lambda f, _: [] if _index(f) == 3 else [f],
    "repeated": lambda f, _: [f, f] if _index(f) == 3 else [f],
    "swapped": lambda f, before: [] if _index(f) == 3 else [f, before[3]] if _index(f) == 4 else [f],
    "early-last": lambda f, _: [f[:21] + b"\x01" + f[22:]] if _index(f) == 3 else [f],
    "never-last": lambda f, _: [f[:21] + b"\x00" + f[22:]],
    "renumbered": lambda f, _: [f[:20] + b"\x07" + f[21:]] if _index(f) == 3 else [f],
    "altered": lambda f, _: [f[:-1] + bytes((f[-1] ^ 1,))] if _index(f) == 3 else [f],
    "shortened": lambda f, _: [f[:-5]] if _index(f) == 3 else [f],
    "lengthened": lambda f, _: [f + b"x"] if _index(f) == 3 else [f],
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_s35_any_fault_of_the_stream_ends_it_and_deletes_what_had_come(
    fault: str, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    pair = await make_pair()
    (tmp_path / "source").write_bytes(os.urandom(700_000))
    pair.caller_line.tamper = Stream(FAULTS[fault])
    outgoing = await pair.caller.send_file(tmp_path / "source", name="report.pdf")
    file = (await next_of(pair.callee, FileOffered)).file
    await file.accept(inbox)
    with pytest.raises(FileTransferError) as caught:
        async with asyncio.timeout(20):
            await file.done()
    assert caught.value.fault is FileFault.DAMAGED
    with pytest.raises(FileTransferError):
        async with asyncio.timeout(20):
            await outgoing.done()
    await asyncio.sleep(0.05)
    assert list(inbox.iterdir()) == []
    pair.caller_line.tamper = None
    await pair.caller.send_text("the conversation goes on")


async def test_s35_chunks_of_another_file_are_not_taken(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    pair = await make_pair()
    ids: list[bytes] = []

    def swap(frame: bytes) -> list[bytes]:
        if frame[0] == CHUNK_TYPE and _index(frame) == 2:
            other = next(file_id for file_id in ids if file_id != frame[1:17])
            return [frame[:1] + other + frame[17:]]
        return [frame]

    for name in ("one", "two"):
        (tmp_path / name).write_bytes(os.urandom(400_000))
        ids.append((await pair.caller.send_file(tmp_path / name)).id)
    pair.caller_line.tamper = swap
    files = [(await next_of(pair.callee, FileOffered)).file for _ in range(2)]
    for file in files:
        await file.accept(inbox)
    for file in files:
        with pytest.raises(FileTransferError):
            async with asyncio.timeout(20):
                await file.done()
    await asyncio.sleep(0.05)
    assert list(inbox.iterdir()) == []


async def _ask(pair: Pair, chunk: int, folder: Path) -> FileTransferError | None:
    (folder / "source").write_bytes(os.urandom(300_000))
    outgoing = await pair.caller.send_file(folder / "source")
    file = (await next_of(pair.callee, FileOffered)).file
    await pair.callee.send_content(FileRequest(FileId(file.id), chunk))
    try:
        async with asyncio.timeout(0.3):
            await outgoing.done()
    except FileTransferError as error:
        return error
    except TimeoutError:
        return None
    return None


@pytest.mark.parametrize("chunk", [1, 5, 2**31, 2**32 - 1])
async def test_s35_a_request_beyond_what_was_sent_ends_the_transfer(chunk: int, tmp_path: Path) -> None:
    pair = await make_pair()
    error = await _ask(pair, chunk, tmp_path)
    assert error is not None
    assert error.fault is FileFault.DAMAGED


async def test_s35_a_request_for_no_file_is_ignored() -> None:
    pair = await make_pair()
    await pair.callee.send_content(FileRequest(FileId(os.urandom(16)), 0))
    await pair.caller.send_text("fine")
    pair.callee_line.send(bytes((CHUNK_TYPE,)) + os.urandom(100))
    pair.callee_line.send(bytes((CHUNK_TYPE,)))
    await pair.callee.send_text("fine too")
    await asyncio.sleep(0.05)
    assert pair.caller.ended is pair.callee.ended is None
