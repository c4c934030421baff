"""Frames straight to the peer over TCP: u32 length ‖ frame, after both sides proved to share the session.

The dialler opens with a token that names the attempt, then each side proves it holds the session's key:

    dialler  → token 16 ‖ nonce 16
    listener → nonce 16 ‖ HMAC(key, "listener" ‖ token ‖ both nonces)
    dialler  → HMAC(key, "dialler" ‖ token ‖ both nonces)

The proofs keep strangers out of the line; the frames are sealed by the session and trust nothing of this.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final, cast

from whisp.client.transport.transport import FrameHandler
from whisp.core.key_schedule import authenticate, is_equal
from whisp.wire.encoding import u32
from whisp.wire.limits import MAX_RELAY_PAYLOAD_BYTES

__all__ = ["DirectTransport"]

TOKEN_BYTES: Final = 16
NONCE_BYTES: Final = 16
PROOF_BYTES: Final = 32
BUFFER_BYTES: Final = 8 + MAX_RELAY_PAYLOAD_BYTES + 256 * 1024
"""The largest frame, and room to read on behind it."""

WRITE_HIGH_BYTES: Final = 1024 * 1024
WRITE_LOW_BYTES: Final = 256 * 1024


class DirectTransport(asyncio.BufferedProtocol):
    """One end of a direct connection. Its first duty is the proof; frames flow only after it.

    Args:
        key: 32 secret bytes from the session's exporter, for this attempt only.
        token: 16 bytes naming the attempt.
        is_dialler: which side this is.
        on_ready: called once when the other side has proved itself.
        on_lost: called once when a connection that was ready is gone.
    """

    def __init__(
        self,
        key: bytes,
        token: bytes,
        *,
        is_dialler: bool,
        on_ready: Callable[["DirectTransport"], None],
        on_lost: Callable[["DirectTransport"], None],
    ) -> None:
        self._key = key
        self._token = token
        self._is_dialler = is_dialler
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._nonce = os.urandom(NONCE_BYTES)
        self._nonces: bytes | None = None
        self._transport: asyncio.Transport | None = None
        self._handler: FrameHandler | None = None
        self._buffer = bytearray(256)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._is_ready = False
        self._is_paused = False
        self._writable: asyncio.Future[None] | None = None
        self.bytes_received = 0
        """Counts up with every sign of life."""

    def deliver_to(self, handler: FrameHandler) -> None:
        """Hand frames to `handler` from now on."""
        self._handler = handler

    # As a transport

    def send(self, frame: bytes) -> None:
        """Queue one frame. Does nothing before the proofs, and nothing once closed."""
        if self._is_ready and self._transport is not None and not self._transport.is_closing():
            self._transport.writelines((u32(len(frame)), frame))

    @property
    def is_full(self) -> bool:
        """Whether `drain` would wait."""
        return self._writable is not None

    async def drain(self) -> None:
        """Wait while too much is queued."""
        while self._writable is not None:
            await asyncio.shield(self._writable)

    def pause_reading(self) -> None:
        """Leave frames in the network."""
        self._is_paused = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take frames again."""
        self._is_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Close after what is queued has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut it now."""
        if self._transport is not None:
            self._transport.abort()

    # As a protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open with the token; called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by class
        self._transport.set_write_buffer_limits(WRITE_HIGH_BYTES, WRITE_LOW_BYTES)
        if self._is_dialler:
            self._transport.write(self._token + self._nonce)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read into; called by the event loop."""
        if self._start == self._end:
            self._start = self._end = 0
        elif len(self._buffer) - self._end < len(self._buffer) // 2:
            held = self._end - self._start
            self._view[:held] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, held
        return self._view[self._end :]

    def buffer_updated(self, count: int) -> None:
        """Take what was read; called by the event loop."""
        self._end += count
        self.bytes_received += count
        if not self._is_ready and not self._greet():
            return
        while True:
            held = self._end - self._start
            if held < 4:
                return
            length = int.from_bytes(self._view[self._start : self._start + 4], "big")
            if not 0 < length <= MAX_RELAY_PAYLOAD_BYTES:
                self.abort()
                return
            if held < 4 + length:
                return
            frame = self._view[self._start + 4 : self._start + 4 + length]
            self._start += 4 + length
            if self._handler is not None:
                self._handler(frame)

    def eof_received(self) -> bool:
        """Close when the other side does."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits; called by the event loop."""
        self.resume_writing()
        self._handler = None
        if self._is_ready:
            self._on_lost(self)

    def pause_writing(self) -> None:
        """Note that too much is queued."""
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Note that there is room again."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # The proofs

    def _greet(self) -> bool:
        """Go through the opening; True once the other side has proved itself."""
        return self._greet_listener() if self._is_dialler else self._greet_dialler()

    def _greet_listener(self) -> bool:
        answer = self._take(NONCE_BYTES + PROOF_BYTES)
        if answer is None:
            return False
        nonces = self._nonce + answer[:NONCE_BYTES]
        if not is_equal(answer[NONCE_BYTES:], self._proof(b"listener", nonces)):
            self.abort()
            return False
        assert self._transport is not None
        self._transport.write(self._proof(b"dialler", nonces))
        return self._become_ready()

    def _greet_dialler(self) -> bool:
        if self._nonces is None:
            opening = self._take(TOKEN_BYTES + NONCE_BYTES)
            if opening is None:
                return False
            if not is_equal(opening[:TOKEN_BYTES], self._token):
                self.abort()
                return False
            self._nonces = opening[TOKEN_BYTES:] + self._nonce
            assert self._transport is not None
            self._transport.write(self._nonce + self._proof(b"listener", self._nonces))
        proof = self._take(PROOF_BYTES)
        if proof is None:
            return False
        if not is_equal(proof, self._proof(b"dialler", self._nonces)):
            self.abort()
            return False
        return self._become_ready()

    def _take(self, count: int) -> bytes | None:
        if self._end - self._start < count:
            return None
        taken = bytes(self._view[self._start : self._start + count])
        self._start += count
        return taken

    def _proof(self, side: bytes, nonces: bytes) -> bytes:
        return authenticate(self._key, side + self._token + nonces)

    def _become_ready(self) -> bool:
        self._is_ready = True
        held = bytes(self._view[self._start : self._end])
        self._buffer = bytearray(BUFFER_BYTES)  # a stranger got 256 bytes, a peer gets room for frames
        self._view = memoryview(self._buffer)
        self._view[: len(held)] = held
        self._start, self._end = 0, len(held)
        self._on_ready(self)
        return True
