"""S-37: kill the client at every write, fsync and rename of a vault save; fill the disk."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from whisp.client.errors import VaultError
from whisp.client.vault import FileVault
from whisp.client.vault.disk import Disk
from whisp.client.vault.sealing import PassphraseCost

CHEAP = PassphraseCost(8, 1, 1)
OLD, NEW = b"CNRY-old" * 900, b"CNRY-new" * 1200


class PowerLost(BaseException):
    """The process is gone: nothing after this runs, not even clean-up."""


class FailingDisk(Disk):
    """Fails at the n-th operation: with an error, or as if the power went (then every later call too)."""

    def __init__(self, fail_at: int, fault: BaseException, *, halfway: bool = False) -> None:
        self.operations = 0
        self._fail_at = fail_at
        self._fault = fault
        self._halfway = halfway

    def _step(self) -> None:
        self.operations += 1
        is_dead = isinstance(self._fault, PowerLost) and self.operations > self._fail_at
        if self.operations == self._fail_at or is_dead:
            raise self._fault

    def create(self, path: Path) -> int:
        self._step()
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        if self._halfway and self.operations + 1 == self._fail_at:
            super().write(descriptor, data[: len(data) // 2])
        self._step()
        return super().write(descriptor, data[:1000])  # short writes are legal and must be finished

    def sync(self, descriptor: int) -> None:
        self._step()
        super().sync(descriptor)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)  # the kernel closes for a dead process too
        self._step()

    def rename(self, old: Path, new: Path) -> None:
        self._step()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        self._step()
        super().sync_folder(folder)


def _vault(folder: Path) -> Path:
    vault = FileVault.create(folder / "vault", "correct horse", cost=CHEAP)
    vault.save(OLD)
    vault.forget()
    return vault.path


def _save(path: Path, disk: Disk) -> None:
    vault = FileVault.open(path, "correct horse", disk=disk)
    try:
        vault.save(NEW)
    finally:
        vault.forget()


def _count_operations(folder: Path) -> int:
    disk = FailingDisk(10**9, OSError())
    _save(_vault(folder), disk)
    return disk.operations


def _faults() -> Iterator[BaseException]:
    yield PowerLost()
    yield OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    yield OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("fault", list(_faults()), ids=["power", "full", "broken"])
@pytest.mark.parametrize("halfway", [False, True])
def test_s37_old_or_new_vault_opens_after_a_fault_at_any_operation(
    tmp_path: Path, fault: BaseException, halfway: bool
) -> None:
    (tmp_path / "count").mkdir()
    operations = _count_operations(tmp_path / "count")
    assert operations > 10
    outcomes = set()
    for fail_at in range(1, operations + 1):
        folder = tmp_path / str(fail_at)
        folder.mkdir()
        path = _vault(folder)
        with pytest.raises((PowerLost, VaultError)):
            _save(path, FailingDisk(fail_at, fault, halfway=halfway))
        for entry in folder.iterdir():
            assert stat.S_IMODE(entry.stat().st_mode) == 0o600
            assert b"CNRY" not in entry.read_bytes()
        reopened = FileVault.open(path, "correct horse")
        found = reopened.load()
        reopened.forget()
        assert found in (OLD, NEW)
        outcomes.add(found)
        assert sorted(entry.name for entry in folder.iterdir()) == [".vault.lock", "vault"]
    assert OLD in outcomes


def test_s37_a_full_disk_keeps_the_old_contents_and_saves_again_later(tmp_path: Path) -> None:
    path = _vault(tmp_path)
    vault = FileVault.open(path, "correct horse", disk=FailingDisk(2, OSError(errno.ENOSPC, "No space")))
    with pytest.raises(VaultError, match="No space"):
        vault.save(NEW)
    assert vault.load() == OLD
    vault.save(NEW)
    vault.forget()
    assert FileVault.open(path, "correct horse").load() == NEW
