"""What one server spends on its clients: every queue, count and time of the live half, each with its reason.

Sizes that both sides must agree on live in `whisp.wire.limits`.
"""

from typing import Final

__all__ = [
    "CLOSE_SECONDS",
    "HELLO_SECONDS",
    "MAX_CALLS_PER_DEVICE",
    "MAX_CONNECTIONS",
    "MAX_CONNECTIONS_PER_ADDRESS",
    "MAX_FRAGMENTS",
    "MAX_FRAMES_PER_SECOND",
    "MAX_HELLO_BYTES",
    "MAX_PRE_KEY_BURST",
    "MAX_QUEUED_BYTES",
    "MAX_RINGS_PER_CALLEE",
    "MAX_RINGS_PER_CALLER",
    "MAX_SIGNALS_PER_DEVICE",
    "MAX_STRAY_FRAMES",
    "MAX_TOMBSTONES",
    "MAX_UNIDENTIFIED",
    "MIN_PROGRESS_BYTES",
    "PING_SECONDS",
    "PRE_KEY_SECONDS",
    "READ_BUFFER_BYTES",
    "RESUME_QUEUED_BYTES",
    "RING_RECORD_SECONDS",
    "SLOW_READER_SECONDS",
    "SWEEP_SECONDS",
    "TOMBSTONE_SECONDS",
]

# Connections

MAX_CONNECTIONS: Final = 20_000
"""In all; beyond it a newcomer gets 4009. A silent device is 8 KiB, and 32 KiB once its twenty one-time
pre-keys are here: 650 MB when all places are taken."""

MAX_CONNECTIONS_PER_ADDRESS: Final = 256
"""An office or a campus behind one address fits; one host cannot take every place."""

MAX_UNIDENTIFIED: Final = 512
"""Sockets before HELLO cost a stranger nothing, so they are few."""

HELLO_SECONDS: Final = 5.0
"""Time from the upgrade to HELLO: one round trip on the worst link, with room."""

MAX_HELLO_BYTES: Final = 1 + 2 + 2 + 1024
"""The largest message before WELCOME: a HELLO with the longest token (MAX_TOKEN_BYTES)."""

READ_BUFFER_BYTES: Final = 2048
"""What a quiet connection keeps to read into. It grows for large frames and shrinks at the next ping."""

MAX_FRAGMENTS: Final = 64
"""Pieces of one WebSocket message: 4 KiB pieces of the largest frame; a flood of tiny ones ends early."""

PING_SECONDS: Final = 30.0
"""Below the idle time-out of common proxies (60 s) and of mobile networks."""

CLOSE_SECONDS: Final = 2.0
"""How long a closed socket may take to read its close code before it is cut."""

SWEEP_SECONDS: Final = 0.5
"""One timer for all connections: every deadline above and below is met this late at most."""

# Queues and floods

MAX_QUEUED_BYTES: Final = 1024 * 1024
"""Bytes waiting for one socket: four of the largest frames. Beyond it who relays to it is not read."""

RESUME_QUEUED_BYTES: Final = 256 * 1024
"""The queue's length at which its senders are read again: low enough not to flicker."""

SLOW_READER_SECONDS: Final = 10.0
"""How long a full queue may stand still: longer than a network change, shorter than a person waits."""

MIN_PROGRESS_BYTES: Final = 16 * 1024
"""What a full queue must lose in that time. Less is no network in use, but a reader that holds others up."""

MAX_FRAMES_PER_SECOND: Final = 20_000
"""From one socket: file chunks at line rate stay below; more than this only keeps the server busy."""

MAX_STRAY_FRAMES: Final = 16
"""Frames to calls and routes that are not the sender's: some come of races, more are probing."""

MAX_PRE_KEY_BURST: Final = 4
"""PRE_KEYS frames at once: log-in, renewal and two top-ups."""

PRE_KEY_SECONDS: Final = 5.0
"""One more PRE_KEYS frame per so many seconds: each costs a signature check and 28 KiB."""

# Calls

RING_RECORD_SECONDS: Final = 60.0
"""How long an unanswered call is known: the 45 s a caller rings, and the time signals travel."""

MAX_RINGS_PER_CALLER: Final = 4
"""Calls one device places at once; a person places one."""

MAX_RINGS_PER_CALLEE: Final = 8
"""Unanswered calls at one device: beyond it a ring is lost in the noise."""

MAX_CALLS_PER_DEVICE: Final = 16
"""Calls of one device, ringing and accepted."""

MAX_SIGNALS_PER_DEVICE: Final = 8
"""Handshake messages one device may send in one call: one is the rule, a repeat after a reconnect allowed."""

TOMBSTONE_SECONDS: Final = 10.0
"""How long frames to an ended call are dropped without counting: what was under way when it ended."""

MAX_TOMBSTONES: Final = 65_536
"""Ended calls remembered in all; the oldest goes first."""
