"""What the client's tests share."""

import time
from collections.abc import Sequence

import pytest

from whisp.client.file_target import FolderTarget


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every write take a moment, in its thread, so that things can happen while a file is under way."""
    write_all = FolderTarget._write_all

    def write_slowly(self: FolderTarget, parts: Sequence[bytes]) -> None:
        time.sleep(0.02)
        write_all(self, parts)

    monkeypatch.setattr(FolderTarget, "_write_all", write_slowly)
