"""Usernames as a person types them."""

from whisp.client.errors import InvalidUsernameError, NotFoundError
from whisp.wire.errors import MalformedError
from whisp.wire.ids import Username
from whisp.wire.username import canonical

__all__ = ["name_to_claim", "name_to_look_up"]


def name_to_claim(typed: str) -> Username:
    """Return the canonical form. Raises InvalidUsernameError if no account may have it."""
    try:
        return canonical(typed)
    except MalformedError:
        raise InvalidUsernameError from None


def name_to_look_up(typed: str) -> Username:
    """Return the canonical form. Raises NotFoundError: an illegal name is nobody’s."""
    try:
        return canonical(typed)
    except MalformedError:
        raise NotFoundError from None
