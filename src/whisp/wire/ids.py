"""Distinct names for byte strings that must never be mixed up. All are public values, never secrets."""

from typing import NewType

__all__ = [
    "AccountId",
    "CallId",
    "DeviceId",
    "PreKeyId",
    "RouteId",
    "Username",
]

AccountId = NewType("AccountId", bytes)
"""An account's Ed25519 public key AK, 32 bytes: the account *is* this key."""

DeviceId = NewType("DeviceId", bytes)
"""16 random bytes naming a device; never used again after a revocation."""

PreKeyId = NewType("PreKeyId", bytes)
"""8 random bytes naming a pre-key record."""

CallId = NewType("CallId", bytes)
"""16 random bytes, one for all offers of one ring."""

RouteId = NewType("RouteId", bytes)
"""16 random bytes from the server naming one direction of one accepted call."""

Username = NewType("Username", str)
"""A username in its canonical form; only `whisp.wire.username.canonical` makes one."""
