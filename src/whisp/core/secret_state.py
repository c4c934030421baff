"""What all objects that hold key material have in common: they never show it and are never stored."""

from typing import NoReturn

from whisp.wire.errors import LocalProtocolError

__all__ = ["SecretState"]


class SecretState:
    """State that changes with every message and holds keys: its `repr` is empty, pickling it is an error.

    Wiping it drops the references. Python promises no more: copies inside primitives live until collected.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError(f"a {type(self).__name__} is never stored")
