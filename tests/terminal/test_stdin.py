"""Lines from a pipe, a file and nothing."""

import os
from pathlib import Path

from whisp.terminal.stdin import read_lines


async def _lines(data: bytes) -> list[str]:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    try:
        return [line async for line in read_lines(reading)]
    finally:
        os.close(reading)


async def test_lines() -> None:
    assert await _lines(b"one\ntwo\r\n\nlast") == ["one", "two", "", "last"]
    assert await _lines(b"") == []
    assert await _lines("größer\n".encode()) == ["größer"]
    assert await _lines(b"bad \xff byte\n") == ["bad \ufffd byte"]


async def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * 200_000)
    with path.open("rb") as file:
        lines = [line async for line in read_lines(file.fileno())]
    assert "".join(lines) == "x" * 200_000
    assert all(len(line) <= 131_072 for line in lines)
