"""Settings: read from the environment, refused in sentences, and silent about secrets."""

import os
import re
import stat
from pathlib import Path

import pytest
from tests.test_house import tracked

from whisp.server.config import DEFAULT_PORT, OTHERS_NAMES, Settings
from whisp.server.errors import StartError
from whisp.server.keys import ServerKeys


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("WHISP_"):
            monkeypatch.delenv(name)


def test_without_any_setting_it_is_a_small_private_server() -> None:
    settings = Settings.read()
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", DEFAULT_PORT, Path("data"))
    assert settings.known_origins == (
        "http://127.0.0.1:8790",
        "http://localhost:8790",
        "http://[::1]:8790",
    )
    assert settings.database_url == f"sqlite:///{Path('data/whisp.db').absolute()}"
    assert settings.trusted_proxies == ()
    assert settings.rate_factor == 1


def test_the_environment_is_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PORT": "9000",
        "HOST": "0.0.0.0",
        "DATA": "/srv/whisp",
        "ORIGINS": "https://chat.example, http://localhost:9000",
        "TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.1",
        "WEBSOCKET": "uvicorn",
        "DATABASE": "postgresql://u:hunter2@h/d",
    }.items():
        monkeypatch.setenv(f"WHISP_{name}", value)
    settings = Settings.read(port=9001, host=None)
    assert (settings.port, settings.host, settings.data) == (9001, "0.0.0.0", Path("/srv/whisp"))
    assert settings.origins == ("https://chat.example", "http://localhost:9000")
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert settings.websocket == "uvicorn"
    assert settings.database_url == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(settings) + str(settings.model_dump())


def test_what_is_shared_with_coturn_comes_from_a_setting_or_a_file_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "canary-of-the-relay"
    monkeypatch.setenv("WHISP_TURN_URLS", "turn:turn.example:3478, turns:turn.example:5349")
    monkeypatch.setenv("WHISP_STUN_URLS", "stun:turn.example:3478")
    monkeypatch.setenv("WHISP_TURN_SECRET", secret)
    settings = Settings.read()
    assert settings.turn_urls == ("turn:turn.example:3478", "turns:turn.example:5349")
    assert settings.stun_urls == ("stun:turn.example:3478",)
    given = settings.read_turn_secret()
    assert given is not None
    assert given.get_secret_value() == secret
    assert secret not in repr(settings) + str(settings.model_dump()) + repr(given)

    file = tmp_path / "turn-secret"
    monkeypatch.setenv("WHISP_TURN_SECRET_FILE", str(file))
    with pytest.raises(StartError, match="choose one"):
        Settings.read().read_turn_secret()
    monkeypatch.delenv("WHISP_TURN_SECRET")
    with pytest.raises(StartError, match="cannot be read"):
        Settings.read().read_turn_secret()
    file.write_text(secret + "\n", "utf-8")
    given = Settings.read().read_turn_secret()
    assert given is not None
    assert given.get_secret_value() == secret


def test_data_can_be_kept_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISP_DATA", "none")
    settings = Settings.read()
    assert settings.data is None
    assert settings.database_url == "sqlite://"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "CNRY"),
        ("PORT", "70000"),
        ("ORIGINS", "CNRY"),
        ("TRUSTED_PROXIES", "CNRY"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("WEBSOCKET", "CNRY"),
        ("TOKEN_SECONDS", "1"),
        ("RATE_FACTOR", "0"),
        ("MAX_CONNECTIONS", "0"),
    ],
)
def test_what_cannot_be_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"WHISP_{name}", value)
    with pytest.raises(StartError, match=f"WHISP_{name}") as caught:
        Settings.read()
    assert "CNRY" not in str(caught.value)


def test_a_misspelt_name_stops_the_start_and_the_right_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISP_ORIGIN", "https://cnry.example")
    monkeypatch.setenv("WHISP_QQQQ", "CNRY")
    with pytest.raises(StartError) as caught:
        Settings.read()
    assert str(caught.value) == (
        "WHISP_ORIGIN is no setting of Whisp. Do you mean WHISP_ORIGINS?\nWHISP_QQQQ is no setting of Whisp."
    )


def test_every_name_that_any_part_of_whisp_reads_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    read = {
        name
        for path in tracked()
        if path.suffix in (".py", ".sh") or path.name in ("run", "test", "bench")
        for name in re.findall(r"\bWHISP_[A-Z_]+[A-Z]\b", path.read_text("utf-8"))
        if path.name != Path(__file__).name
    }
    assert {f"WHISP_{name}" for name in OTHERS_NAMES} <= read
    own = {f"WHISP_{name.upper()}" for name in Settings.model_fields}
    for name in read - own:
        monkeypatch.setenv(name, "CNRY")
    monkeypatch.setenv("OTHER_WHISP_NAME", "CNRY")
    assert Settings.read() == Settings()


def test_keys_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first, second = ServerKeys.load(folder), ServerKeys.load(folder)
    assert (first.tokens, first.names) == (second.tokens, second.names)
    assert first.tokens != first.names
    assert len(first.tokens) == len(first.names) == 32
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(file.name for file in folder.iterdir()) == ["names.key", "token.key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_keys_do_not_show_themselves(tmp_path: Path) -> None:
    keys = ServerKeys.load(tmp_path)
    assert repr(keys) == str(keys) == "ServerKeys(<redacted>)"


def test_a_key_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_bytes(bytes(32))
    (tmp_path / "token.key").chmod(0o644)
    assert ServerKeys.load(tmp_path).tokens == bytes(32)
    assert stat.S_IMODE((tmp_path / "token.key").stat().st_mode) == 0o600


def test_half_a_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_bytes(bytes(16))
    with pytest.raises(StartError, match="damaged"):
        ServerKeys.load(tmp_path)
    assert (tmp_path / "token.key").read_bytes() == bytes(16)


def test_a_key_another_process_made_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(source: str, target: Path) -> None:
        target.write_bytes(b"other".ljust(32))
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    keys = ServerKeys.load(tmp_path)
    assert (keys.tokens, keys.names) == (b"other".ljust(32),) * 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be used"):
        ServerKeys.load(tmp_path / "file" / "secrets")
