"""Files in a conversation, as the application holds them: one going out, one coming in."""

import asyncio
import time
from collections import deque
from pathlib import Path
from typing import Final, Protocol

from whisp.client.errors import FileFault, FileTransferError
from whisp.client.events import ConversationEvent, FileCancelled, FileCompleted, FileProgress
from whisp.client.file_source import AsyncReader, FileSource
from whisp.client.file_target import FileTarget, FolderTarget, Sink, SinkTarget
from whisp.core.content import (
    FileAck,
    FileCancel,
    FileCancelReason,
    FileDone,
    FileOffer,
    FileRequest,
)
from whisp.core.file_key import FileId
from whisp.core.file_stream import ACK_CHUNKS, FileReceiver, FileSender
from whisp.wire.errors import LocalProtocolError, MalformedError, RemoteProtocolError

__all__ = ["AsyncReader", "Carrier", "FileContent", "IncomingFile", "OutgoingFile", "Sink"]

PROGRESS_SECONDS: Final = 0.1
GATHER_SECONDS: Final = 0.002
"""How long a few chunks wait for more to be written with: a trip to a thread costs more than writing one."""

ASK_AGAIN_SECONDS: Final = 2.0
"""How long a request to go on after a change of lines may stay without a chunk."""

FileContent = FileOffer | FileRequest | FileAck | FileCancel | FileDone

_REASONS: Final = {
    FileFault.DECLINED: FileCancelReason.DECLINED,
    FileFault.CANCELLED: FileCancelReason.CANCELLED,
    FileFault.DAMAGED: FileCancelReason.REFUSED,
}
_FAULTS: Final = {
    FileCancelReason.DECLINED: FileFault.DECLINED,
    FileCancelReason.CANCELLED: FileFault.PEER_CANCELLED,
    FileCancelReason.FAILED: FileFault.PEER_CANCELLED,
    FileCancelReason.REFUSED: FileFault.DAMAGED,
}


class Carrier(Protocol):
    """What a transfer needs of its conversation."""

    @property
    def is_line_up(self) -> bool:
        """Whether chunks can travel."""
        ...

    async def send_content(self, content: FileContent) -> None:
        """Send something about a file, when there is room. Raises ConversationEndedError."""
        ...

    def send_soon(self, content: FileContent) -> None:
        """Send it in the background; nothing happens if the conversation ends first."""
        ...

    def send_chunk(self, frame: bytes) -> bool:
        """Queue a chunk; say whether to `drain` before the next."""
        ...

    async def drain(self) -> None:
        """Wait while too much is queued."""
        ...

    def open_incoming(self, offer: FileOffer) -> FileReceiver:
        """Return the opening end of an offered file."""
        ...

    def close_file(self, file_id: FileId) -> None:
        """Wipe a transfer's key; the transfer is over."""
        ...

    def tell(self, event: ConversationEvent) -> None:
        """Tell the application."""
        ...


class _Transfer:
    """What both directions share: an outcome, a wake-up call and throttled progress."""

    def __init__(self, carrier: Carrier, offer: FileOffer) -> None:
        self.id: bytes = offer.file_id
        """16 bytes, as in the events."""
        self.name = offer.name
        """As its sender named it, for display only: made safe before it names a file on disk."""
        self.size = offer.size
        self.media_type = offer.media_type
        """As its sender claims it; never act on it."""
        self._file_id = offer.file_id
        self._carrier = carrier
        self._outcome: asyncio.Future[Path | None] = asyncio.get_running_loop().create_future()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._done_bytes = 0
        self._told_at = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, progress={self._done_bytes})"

    @property
    def progress(self) -> int:
        """Bytes that the receiver has safely."""
        return self._done_bytes

    @property
    def is_over(self) -> bool:
        """Whether it is through, or will never be."""
        return self._outcome.done()

    def fail(self, fault: FileFault, *, tell_peer: bool, message: str = "") -> None:
        """End it without success, once; a second end changes nothing."""
        if self._outcome.done():
            return
        self._outcome.set_exception(FileTransferError(fault, message))
        self._outcome.exception()  # an application need not ask
        if tell_peer:
            reason = _REASONS.get(fault, FileCancelReason.FAILED)
            self._carrier.send_soon(FileCancel(self._file_id, reason))
        self._end()
        self._carrier.tell(FileCancelled(self.id, fault))

    def cancelled_by_peer(self, reason: FileCancelReason) -> None:
        """The peer will not go on."""
        self.fail(_FAULTS[reason], tell_peer=False)

    async def cancel(self) -> None:
        """Stop, and tell the peer. What had arrived is deleted."""
        self.fail(FileFault.CANCELLED, tell_peer=True)

    def _succeed(self, path: Path | None) -> None:
        self._report(self.size, is_last=True)
        self._outcome.set_result(path)
        self._end()
        self._carrier.tell(FileCompleted(self.id, path))

    def _report(self, done: int, *, is_last: bool = False) -> None:
        now = time.monotonic()
        self._done_bytes = done
        if is_last or now - self._told_at >= PROGRESS_SECONDS:
            self._told_at = now
            self._carrier.tell(FileProgress(self.id, done, self.size))

    def _end(self) -> None:
        self._carrier.close_file(self._file_id)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._wake.set()


class OutgoingFile(_Transfer):
    """A file this side offered. Nothing of it moves until the peer asks."""

    def __init__(self, carrier: Carrier, offer: FileOffer, stream: FileSender, source: FileSource) -> None:
        super().__init__(carrier, offer)
        self._stream = stream
        self._source = source
        self._again: deque[bytes] = deque()
        self._is_asked = False

    async def done(self) -> None:
        """Wait until the peer has the whole file. Raises FileTransferError if it will not."""
        await asyncio.shield(self._outcome)

    def requested(self, chunk: int) -> None:
        """The receiver wants everything from `chunk` on, perhaps again. What was acknowledged it does not."""
        if chunk < self._stream.acknowledged:
            return
        try:
            self._again = deque(self._stream.rewind(chunk))
        except MalformedError:
            self.fail(FileFault.DAMAGED, tell_peer=True)
            return
        self._is_asked = True
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._pump(), name="whisp file out")

    def acknowledged(self, chunk: int) -> None:
        """The receiver has all chunks before `chunk`."""
        if chunk <= self._stream.acknowledged:
            return
        try:
            self._stream.acknowledge(chunk)
        except MalformedError:
            self.fail(FileFault.DAMAGED, tell_peer=True)
            return
        for _ in range(len(self._again) - (self._stream.next_chunk - chunk)):
            self._again.popleft()
        self._report(min(chunk * 65_536, self.size))
        self._wake.set()

    def finished(self) -> None:
        """The receiver says that the file is whole."""
        if self._stream.next_chunk < self._stream.count:
            self.fail(FileFault.DAMAGED, tell_peer=True)
        elif not self.is_over:
            self._succeed(None)

    def line_lost(self) -> None:
        """Stand still until the receiver says where to go on."""
        self._is_asked = False
        self._again.clear()

    async def _pump(self) -> None:
        stream, carrier = self._stream, self._carrier
        try:
            while not self.is_over:
                frame = None
                if self._is_asked and carrier.is_line_up:
                    if self._again:
                        frame = self._again.popleft()
                    elif stream.next_chunk < stream.count and not stream.is_window_full:
                        frame = await self._seal_next()
                if frame is None:
                    self._wake.clear()
                    if not self._may_go_on():
                        await self._wake.wait()
                elif carrier.send_chunk(frame):
                    await carrier.drain()
        except FileTransferError as error:
            self.fail(error.fault, tell_peer=True, message=str(error))

    def _may_go_on(self) -> bool:
        stream = self._stream
        is_work = bool(self._again) or (stream.next_chunk < stream.count and not stream.is_window_full)
        return self._is_asked and self._carrier.is_line_up and is_work

    async def _seal_next(self) -> bytes | None:
        """Seal the next chunk; None if the line went while it was read: it is kept and asked for again."""
        index = self._stream.next_chunk
        plaintext = await self._source.read(self._stream.content_bytes(index))
        if self.is_over:
            return None
        frame = self._stream.chunk(index, plaintext)
        if self._again:  # asked again from an earlier place meanwhile: it waits for its turn behind those
            self._again.append(frame)
            return None
        return frame if self._is_asked else None

    def _end(self) -> None:
        super()._end()
        self._again.clear()
        self._source.close()


class IncomingFile(_Transfer):
    """A file the peer offered. Nothing of it moves before `accept`, nothing is saved unasked."""

    def __init__(self, carrier: Carrier, offer: FileOffer) -> None:
        super().__init__(carrier, offer)
        self._offer: FileOffer | None = offer
        self._stream: FileReceiver | None = None
        self._target: FileTarget | None = None
        self._arrived: deque[bytes] = deque()
        self._is_publishing = False
        self._is_resuming = False
        self._was_resumed = False

    def fail(self, fault: FileFault, *, tell_peer: bool, message: str = "") -> None:
        """End it without success, unless all of it is here and verified: then only the disk can fail it."""
        is_whole = self._stream is not None and self._stream.is_done
        is_own_fault = fault in (FileFault.DISK_FULL, FileFault.UNWRITABLE)
        if (self._is_publishing and not is_own_fault) or (fault is FileFault.ENDED and is_whole):
            return
        super().fail(fault, tell_peer=tell_peer, message=message)

    async def accept(self, save_to: Path | str | Sink) -> None:
        """Start the transfer into the folder `save_to`, or into a sink.

        In a folder the file gets a safe name, never overwrites (" (2)" is appended), has mode 0600, and
        stays a hidden `.part` file until it is whole.

        Raises:
            FileTransferError: the folder cannot be written, or the transfer is over already.
            LocalProtocolError: it was accepted already, or too many transfers are open.
        """
        if self.is_over:
            self._outcome.result()
        offer, self._offer = self._offer, None
        if offer is None:
            raise LocalProtocolError("This file was accepted already.")
        try:
            self._target = await _open_target(save_to, self.name, self.size)
            if self.is_over:
                self._target.discard()
                self._outcome.result()
            self._stream = self._carrier.open_incoming(offer)
        except FileTransferError as error:
            self.fail(error.fault, tell_peer=True, message=str(error))
            raise
        except LocalProtocolError:
            if self._target is not None:
                self._target.discard()
            self._offer = offer
            raise
        self._task = asyncio.create_task(self._save(self._stream, self._target), name="whisp file in")
        await self._carrier.send_content(FileRequest(self._file_id, 0))

    async def decline(self) -> None:
        """Refuse it."""
        self.fail(FileFault.DECLINED, tell_peer=True)

    async def done(self) -> Path | None:
        """Wait for the whole file; return where it was saved, None for a sink. Raises FileTransferError."""
        return await asyncio.shield(self._outcome)

    def receive_chunk(self, frame: bytes | memoryview) -> None:
        """Take the next chunk; any fault ends the transfer."""
        stream = self._stream
        if stream is None or self.is_over:
            return
        try:
            self._arrived.append(stream.receive(frame))
        except RemoteProtocolError:
            # Until the chunk that was asked for on a new line comes, stragglers of the old one may; and who
            # asked twice on a slow line is answered twice.
            is_late = self._is_resuming or (self._was_resumed and stream.is_repeat(frame))
            if not is_late:
                self.fail(FileFault.DAMAGED, tell_peer=True)
            return
        self._is_resuming = False
        self._wake.set()

    def line_back(self) -> None:
        """Ask again from where it stopped."""
        stream = self._stream
        if stream is not None and not self.is_over and not stream.is_done:
            self._is_resuming = self._was_resumed = True
            self._carrier.send_soon(FileRequest(self._file_id, stream.next_chunk))

    async def _save(self, stream: FileReceiver, target: FileTarget) -> None:
        """Write what arrives, and acknowledge what is written: a slow disk slows the sender."""
        written = acknowledged = 0
        try:
            while written < stream.count:
                if not self._arrived:
                    await self._wait_for_chunk()
                    continue
                if len(self._arrived) < ACK_CHUNKS and not stream.is_done:
                    await asyncio.sleep(GATHER_SECONDS)
                parts = [self._arrived.popleft() for _ in range(min(len(self._arrived), ACK_CHUNKS))]
                await target.write(parts)
                written += len(parts)
                self._report(min(written * 65_536, self.size))
                if written - acknowledged >= ACK_CHUNKS or written == stream.count:
                    acknowledged = written
                    self._carrier.send_soon(FileAck(self._file_id, written))
            self._is_publishing = True
            path = await target.finish()
        except FileTransferError as error:
            self.fail(error.fault, tell_peer=True, message=str(error))
        else:
            self._target = None
            self._carrier.send_soon(FileDone(self._file_id))
            if not self.is_over:
                self._succeed(path)

    async def _wait_for_chunk(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(ASK_AGAIN_SECONDS if self._is_resuming else None):
                await self._wake.wait()
        except TimeoutError:
            if self._carrier.is_line_up:
                self.line_back()

    def _end(self) -> None:
        super()._end()
        self._arrived.clear()
        if self._target is not None:
            self._target.discard()


async def _open_target(save_to: Path | str | Sink, name: str, size: int) -> FileTarget:
    if isinstance(save_to, str | Path):
        return await asyncio.to_thread(FolderTarget, Path(save_to), name, size)
    return SinkTarget(save_to)
