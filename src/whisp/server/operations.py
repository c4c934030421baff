"""The calls of the HTTP API as data: what the gate enforces, and what the OpenAPI document says."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from msgspec import Struct

from whisp.server.rates import Allowance
from whisp.wire.codes import ErrorCode

__all__ = ["MAX_BODY_BYTES", "Operation"]

MAX_BODY_BYTES: Final = 64 * 1024
"""The largest of the ordinary bodies is a device list with sixteen certificates: about 10 KiB in base64."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. Its errors are those it can answer with beside the ones that any call can."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    summary: str
    answer: type[Struct] | type[dict[str, Any]]
    request: type[Struct] | None = None
    status: int = 200
    needs_token: bool = False
    allowance: Allowance | None = None
    errors: tuple[ErrorCode, ...] = ()
    max_body_bytes: int = MAX_BODY_BYTES
    is_for_any_host: bool = False
    """Answers whatever the Host header says: probes dial an address."""

    @property
    def name(self) -> str:
        """A name that no other operation has: the path's words and the method, in camel case."""
        words = [word for word in self.path.replace(".", "/").split("/") if word and word != "v1"]
        return self.method.lower() + "".join(word[0].upper() + word[1:] for word in words)
