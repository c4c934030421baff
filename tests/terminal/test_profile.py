"""Where things lie, and who may read them."""

import stat
from pathlib import Path

import pytest

from whisp.terminal.exits import UsageError
from whisp.terminal.passphrase import Passphrase, from_file
from whisp.terminal.profile import DEFAULT_SERVER, Profile, download_folder


def test_the_folder_asked_for_wins_then_xdg_then_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Profile.find(Path("~/mine"), {}).folder == tmp_path / "mine"
    assert Profile.find(None, {"XDG_DATA_HOME": "/data"}).folder == Path("/data/whisp")
    assert Profile.find(None, {"XDG_DATA_HOME": "relative"}).folder == tmp_path / ".local/share/whisp"
    assert Profile.find(None, {}).folder == tmp_path / ".local/share/whisp"


def test_the_server_asked_for_wins_then_the_one_remembered(tmp_path: Path) -> None:
    profile = Profile(tmp_path / "p")
    assert profile.server(None) == DEFAULT_SERVER
    profile.remember_server("https://chat.example")
    assert profile.server(None) == "https://chat.example"
    assert profile.server("http://127.0.0.1:1") == "http://127.0.0.1:1"
    assert stat.S_IMODE(profile.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((profile.folder / "server").stat().st_mode) == 0o600
    (profile.folder / "server").write_bytes(b"\xff")
    assert profile.server(None) == DEFAULT_SERVER


def test_erasing_leaves_nothing(tmp_path: Path) -> None:
    profile = Profile(tmp_path / "p")
    profile.remember_server("https://chat.example")
    profile.vault.write_bytes(b"x")
    (profile.folder / ".vault.lock").touch()
    assert profile.exists
    profile.erase()
    profile.erase()
    assert list(profile.folder.iterdir()) == []


def test_downloads_go_where_a_person_expects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert download_folder() == tmp_path
    (tmp_path / "Downloads").mkdir()
    assert download_folder() == tmp_path / "Downloads"


def test_s30_a_passphrase_shows_itself_to_no_one() -> None:
    secret = Passphrase("open sesame")
    assert "sesame" not in repr(secret) + str(secret)
    assert secret.reveal() == "open sesame"
    assert not Passphrase("")


def test_a_passphrase_file_is_read_to_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "pass"
    path.write_bytes("öffne dich \r\nnot this".encode())
    path.chmod(0o600)
    assert from_file(path).reveal() == "öffne dich "


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (b"open sesame", 0o644, "Others can read the passphrase file."),
        (b"open sesame", 0o620, "Others can read the passphrase file."),
        (b"", 0o600, "The passphrase file is empty."),
        (b"\nsecond line", 0o600, "The passphrase file is empty."),
        (b"\xff\xfe", 0o600, "The passphrase file is not UTF-8 text."),
        (None, 0o600, "The passphrase file cannot be read."),
    ],
)
def test_a_passphrase_file_that_is_none(
    tmp_path: Path, content: bytes | None, mode: int, sentence: str
) -> None:
    path = tmp_path / "pass"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(UsageError, match=sentence):
        from_file(path)
