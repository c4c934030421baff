"""The vault: sealed at rest, told apart from damage where that is safe, one process at a time."""

import os
import stat
from pathlib import Path

import keyring
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend

from whisp.client.errors import (
    DamagedVaultError,
    LockedError,
    VaultError,
    VaultExistsError,
    VaultInUseError,
    VaultMissingError,
    WrongPassphraseError,
)
from whisp.client.vault import FileVault, MemoryVault
from whisp.client.vault.sealing import (
    Header,
    KeySource,
    PassphraseCost,
    VaultKey,
    open_sealed,
    read_header,
    seal,
)

CHEAP = PassphraseCost(8, 1, 1)
SECRET = b"CNRY-the-account-seed"


def test_contents_survive_a_reopening(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
    assert vault.load() is None
    vault.save(SECRET)
    vault.forget()
    assert FileVault.open(tmp_path / "vault", "correct horse").load() == SECRET


def test_only_ciphertext_is_on_disk_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
    vault.save(SECRET)
    for path in tmp_path.iterdir():
        assert SECRET not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_size_does_not_count_contacts(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
    vault.save(bytes(100))
    small = vault.path.stat().st_size
    vault.save(bytes(3000))
    assert vault.path.stat().st_size == small


def test_a_wrong_passphrase_is_not_called_damage(tmp_path: Path) -> None:
    FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP).forget()
    with pytest.raises(WrongPassphraseError):
        FileVault.open(tmp_path / "vault", "battery staple")


def test_s37_every_damaged_byte_is_called_damage(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
    vault.save(SECRET)
    vault.forget()
    whole = vault.path.read_bytes()
    for offset in [*range(60), *range(60, len(whole), 97), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[offset] ^= 0x01
        vault.path.write_bytes(damaged)
        with pytest.raises(DamagedVaultError):
            FileVault.open(vault.path, "correct horse")
    for length in (0, 1, 50, len(whole) // 2, len(whole) - 1):
        vault.path.write_bytes(whole[:length])
        with pytest.raises(DamagedVaultError):
            FileVault.open(vault.path, "correct horse")
    vault.path.write_bytes(whole)
    assert FileVault.open(vault.path, "correct horse").load() == SECRET


@pytest.mark.parametrize(
    "cost", [PassphraseCost(2**31, 1, 1), PassphraseCost(8, 2**20, 1), PassphraseCost(2**12, 1, 200)]
)
def test_a_hostile_file_cannot_ask_for_endless_work(cost: PassphraseCost) -> None:
    hostile = seal(VaultKey(bytes(32)), Header(KeySource.PASSPHRASE, cost, bytes(16)), b"")
    with pytest.raises(DamagedVaultError):
        read_header(hostile)


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    path.write_bytes(b"something dear")
    with pytest.raises(VaultExistsError):
        FileVault.create(path, "correct horse", cost=CHEAP)
    assert path.read_bytes() == b"something dear"
    assert [entry.name for entry in tmp_path.iterdir()] == ["vault"]


def test_a_missing_vault_says_so(tmp_path: Path) -> None:
    with pytest.raises(VaultMissingError):
        FileVault.open(tmp_path / "vault", "correct horse")


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VaultError):
        FileVault.create(tmp_path / "vault", "")


def test_two_processes_cannot_open_one_vault(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
    with pytest.raises(VaultInUseError):
        FileVault.open(tmp_path / "vault", "correct horse")
    vault.forget()
    FileVault.open(tmp_path / "vault", "correct horse")


def test_a_changed_passphrase_replaces_the_old(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
    vault.save(SECRET)
    vault.change_passphrase("battery staple", cost=CHEAP)
    vault.forget()
    with pytest.raises(WrongPassphraseError):
        FileVault.open(vault.path, "correct horse")
    assert FileVault.open(vault.path, "battery staple").load() == SECRET


def test_forgetting_leaves_nothing_usable(tmp_path: Path) -> None:
    for vault in (FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP), MemoryVault()):
        vault.save(SECRET)
        vault.forget()
        with pytest.raises(LockedError):
            vault.load()
        with pytest.raises(LockedError):
            vault.save(b"")
        assert SECRET not in repr(vars(vault)).encode()


def test_no_secret_shows_in_a_repr(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
    vault.save(SECRET)
    memory = MemoryVault()
    memory.save(SECRET)
    key = VaultKey(SECRET)
    for shown in (repr(vault), repr(memory), repr(key)):
        assert "CNRY" not in shown
        assert "horse" not in shown


class _Ring(KeyringBackend):
    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no annotation there
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


def test_a_keyring_opens_its_vault_without_a_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = _Ring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", ring)
    vault = FileVault.create_with_keyring(tmp_path / "vault")
    vault.save(SECRET)
    vault.forget()
    assert not FileVault.needs_passphrase(vault.path)
    with pytest.raises(VaultError):
        FileVault.open(vault.path, "correct horse")
    opened = FileVault.open_with_keyring(vault.path)
    assert opened.load() == SECRET
    opened.forget()
    ring.kept.clear()
    with pytest.raises(VaultError, match="does not hold"):
        FileVault.open_with_keyring(vault.path)


@given(contents=st.binary(max_size=10_000), salt=st.binary(min_size=16, max_size=16))
@settings(max_examples=30, deadline=None)
def test_what_is_sealed_opens_again(contents: bytes, salt: bytes) -> None:
    header, key = Header(KeySource.PASSPHRASE, CHEAP, salt), VaultKey(os.urandom(32))
    sealed = seal(key, header, contents)
    assert read_header(sealed) == header
    assert open_sealed(key, sealed) == contents
