"""Settings, from the environment: every name begins with WHISP_ (docs/guides/hosting.md).

Two are secrets and are never shown: the database URL, which may carry a password, and what is shared with
coturn. Keys live in files.
"""

import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from whisp.server import limits
from whisp.server.errors import StartError
from whisp.server.origins import Origins

__all__ = ["DEFAULT_PORT", "Network", "Settings"]

DEFAULT_PORT: Final = 8790
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")

PREFIX: Final = "WHISP_"

OTHERS_NAMES: Final = frozenset({"ASCII", "DRAW", "PASSPHRASE_FILE", "PROFILE", "PYTHON", "SERVER", "THEME"})
"""What the terminal, `./run` and the tests read: no server's settings, and no mistake beside them."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _split(value: Any) -> Any:
    """Take `a, b` for a list, as people write it in an environment file."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _none(value: Any) -> Any:
    """Take the word `none` for None."""
    return None if value == "none" else value


class Settings(BaseSettings):
    """How one server runs. `Settings()` reads the environment; arguments win over it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535)
    """The port to listen on; 0 takes any free one."""
    data: Annotated[Path | None, BeforeValidator(_none)] = Path("data")
    """The folder for database and keys. `none`: in memory, and gone when the process ends."""
    database: SecretStr | None = None
    """A SQLAlchemy URL; by default SQLite in the data folder."""
    origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    """What clients dial, such as https://chat.example; by default the loopback names of the port."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split)] = ()
    """Addresses or networks whose X-Forwarded-For is believed."""
    web_app: Annotated[Path | Literal["built"] | None, BeforeValidator(_none)] = "built"
    """The folder of a web app. `built`: the one that `./run` makes. `none`: the server has no pages."""
    turn_urls: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    """TURN servers that share `turn_secret`, such as turn:turn.example:3478; none: no WebRTC."""
    stun_urls: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    """STUN servers for direct lines, such as stun:turn.example:3478."""
    turn_secret: SecretStr | None = None
    """What coturn calls `static-auth-secret`."""
    turn_secret_file: Path | None = None
    """A file that holds it, instead."""
    websocket: Literal["picows", "uvicorn"] = "picows"
    """What parses WebSocket frames."""
    token_seconds: int = Field(default=900, ge=10, le=86_400)
    """How long a session token lives."""
    max_connections: int = Field(default=limits.MAX_CONNECTIONS, ge=1)
    """WebSockets in all."""
    max_connections_per_address: int = Field(default=limits.MAX_CONNECTIONS_PER_ADDRESS, ge=1)
    """WebSockets from one address."""
    max_http_connections: int = Field(default=4096, ge=1)
    """Connections that are not WebSockets, in all: each costs about 8 KiB until its request is in."""
    max_http_connections_per_address: int = Field(default=256, ge=1)
    """The same from one address, as long as no valid token came over them."""
    rate_factor: float = Field(default=1.0, gt=0)
    """Multiplies every rate limit: for load tests, and for hosts with few addresses before them."""

    @classmethod
    def read(cls, **given: Any) -> "Settings":
        """Return the settings of the environment and of those arguments that are not None.

        Raises:
            StartError: with a sentence for each setting that cannot be; no value is repeated.
        """
        _refuse_unknown(os.environ)
        try:
            settings = cls(**{name: value for name, value in given.items() if value is not None})
            Origins(settings.known_origins)
        except ValidationError as error:
            raise StartError("\n".join(map(_sentence, error.errors()))) from None
        return settings

    def read_turn_secret(self) -> SecretStr | None:
        """Return the secret shared with coturn, from the setting or from its file. Raises StartError."""
        if self.turn_secret_file is None:
            return self.turn_secret
        if self.turn_secret is not None:
            raise StartError("WHISP_TURN_SECRET and WHISP_TURN_SECRET_FILE are both set: choose one.")
        try:
            return SecretStr(self.turn_secret_file.read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError):
            raise StartError("WHISP_TURN_SECRET_FILE cannot be read.") from None

    @property
    def known_origins(self) -> tuple[str, ...]:
        """The origins this server answers for."""
        return self.origins or tuple(f"http://{name}:{self.port}" for name in _LOOPBACK_NAMES)

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL; it may hold a password."""
        if self.database is not None:
            return self.database.get_secret_value()
        if self.data is None:
            return "sqlite://"
        return f"sqlite:///{(self.data / 'whisp.db').absolute()}"


def _refuse_unknown(names: Iterable[str]) -> None:
    """Raise StartError for names that nothing of Whisp reads: a limit that is misspelt is no limit."""
    known = {name.upper() for name in Settings.model_fields} | OTHERS_NAMES
    ours = {name.upper().removeprefix(PREFIX): name for name in names if name.upper().startswith(PREFIX)}
    if not ours.keys() <= known:
        from difflib import get_close_matches

        raise StartError(
            "\n".join(
                f"{ours[name]} is no setting of Whisp."
                + "".join(f" Do you mean {PREFIX}{near}?" for near in get_close_matches(name, known, 1))
                for name in sorted(ours.keys() - known)
            )
        )


def _sentence(error: Any) -> str:
    name = PREFIX + "_".join(str(part) for part in error["loc"][:1]).upper()
    return f"{name} cannot be used: {error['msg']}."
