"""Every size and count that both sides must agree on, each with its reason."""

from typing import Final

__all__ = [
    "HOLD_SECONDS",
    "LOW_PRE_KEYS",
    "MAX_ACTIVE_DEVICES",
    "MAX_BUNDLE_BYTES",
    "MAX_CLOCK_ERROR_SECONDS",
    "MAX_FRAME_BYTES",
    "MAX_ONE_TIME_PRE_KEYS",
    "MAX_RELAY_PAYLOAD_BYTES",
    "MAX_REVOKED_DEVICES",
    "MAX_SIGNAL_BYTES",
    "MAX_TOKEN_BYTES",
    "RING_SECONDS",
]

MAX_CLOCK_ERROR_SECONDS: Final = 300
"""How far two clocks may disagree: phones and small boxes drift by minutes, replays by more."""

MAX_ACTIVE_DEVICES: Final = 16
"""Devices of one account; bounds a ring's fan-out."""

MAX_REVOKED_DEVICES: Final = 64
"""Tombstones in one device list; bounds its size."""

MAX_ONE_TIME_PRE_KEYS: Final = 20
"""One-time pre-key records a device advertises at once."""

LOW_PRE_KEYS: Final = 5
"""One-time records left when a device publishes anew: a few callers may come meanwhile."""

MAX_RELAY_PAYLOAD_BYTES: Final = 256 * 1024
"""One relayed payload: four file chunks, large enough to amortise a frame, small enough to interleave."""

MAX_SIGNAL_BYTES: Final = 32 * 1024
"""One handshake message: the largest OFFER with a full device list and a long SDP stays below."""

MAX_TOKEN_BYTES: Final = 1024
"""A session token in HELLO."""

MAX_FRAME_BYTES: Final = 1 + 16 + MAX_RELAY_PAYLOAD_BYTES
"""The largest WebSocket message either side accepts."""

MAX_BUNDLE_BYTES: Final = 8 * 1024
"""One pre-key bundle; with full device lists it is about 6 KB."""

RING_SECONDS: Final = 45
"""How long a caller rings before giving up."""

HOLD_SECONDS: Final = 60
"""How long a call outlives the last sign of life of one side."""
