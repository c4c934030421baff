"""All files of one conversation: finds the transfer that a content or a chunk belongs to."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from whisp.client.errors import FileFault
from whisp.client.events import FileOffered
from whisp.client.file_source import AsyncReader, FileSource, PathSource, ReaderSource
from whisp.client.files import Carrier, FileContent, IncomingFile, OutgoingFile
from whisp.core.content import FileAck, FileCancel, FileCancelReason, FileDone, FileOffer, FileRequest
from whisp.core.file_key import FileKey, new_file_id
from whisp.core.file_stream import CHUNK_HEADER_BYTES, FileSender, peek_file_id
from whisp.wire.errors import LocalProtocolError, MalformedError

__all__ = ["Transfers"]

MAX_OFFERS: Final = 32
"""Files on offer at once; more are declined unseen."""


class Transfers:
    """The open transfers of a conversation, by file id.

    Args:
        carrier: the conversation.
        open_outgoing: makes the sealing end of an offer.
    """

    def __init__(self, carrier: Carrier, open_outgoing: Callable[[FileOffer], FileSender]) -> None:
        self._carrier = carrier
        self._open_outgoing = open_outgoing
        self._outgoing: dict[bytes, OutgoingFile] = {}
        self._incoming: dict[bytes, IncomingFile] = {}

    async def offer(
        self, source: Path | str | AsyncReader, name: str | None, size: int | None, media_type: str
    ) -> tuple[FileOffer, OutgoingFile]:
        """Open `source` and make an offer of it; the caller sends the offer.

        Raises:
            FileTransferError: it cannot be read.
            LocalProtocolError: a reader without name or size, values over their limits, too many transfers.
        """
        opened: FileSource
        if isinstance(source, str | Path):
            path = Path(source)
            from_path = await asyncio.to_thread(PathSource, path)
            opened, size = from_path, from_path.size
            name = name or path.name
        else:
            opened = ReaderSource(source)
        try:
            if name is None or size is None:
                raise LocalProtocolError("A reader needs a name and a size.")
            offer = FileOffer(new_file_id(), FileKey.generate(), size, name, media_type)
            fault = offer.fault()
            if fault is not None:
                raise LocalProtocolError(fault)
            file = OutgoingFile(self._carrier, offer, self._open_outgoing(offer), opened)
        except BaseException:
            opened.close()
            raise
        self._outgoing[offer.file_id] = file
        return offer, file

    def receive(self, content: FileContent) -> None:
        """Take what the peer says about a file. What concerns no open transfer is late, and ignored."""
        if isinstance(content, FileOffer):
            self._receive_offer(content)
            return
        outgoing = self._outgoing.get(content.file_id)
        incoming = self._incoming.get(content.file_id)
        match content:
            case FileRequest() if outgoing:
                outgoing.requested(content.chunk)
            case FileAck() if outgoing:
                outgoing.acknowledged(content.chunk)
            case FileDone() if outgoing:
                outgoing.finished()
            case FileCancel():
                for file in (outgoing, incoming):
                    if file is not None:
                        file.cancelled_by_peer(content.reason)

    def receive_chunk(self, frame: bytes | memoryview) -> None:
        """Take a chunk from the line. One of no open transfer is late, and ignored."""
        try:
            file = self._incoming.get(peek_file_id(bytes(frame[:CHUNK_HEADER_BYTES])))
        except MalformedError:
            return
        if file is not None:
            file.receive_chunk(frame)

    def forget(self, file_id: bytes) -> None:
        """A transfer is over."""
        self._outgoing.pop(file_id, None)
        self._incoming.pop(file_id, None)

    def line_lost(self) -> None:
        """Chunks under way may be gone: senders stand still."""
        for file in tuple(self._outgoing.values()):
            file.line_lost()

    def line_back(self) -> None:
        """There is a line: receivers say where to go on."""
        for file in tuple(self._incoming.values()):
            file.line_back()

    def end(self, *, abandon: bool) -> None:
        """The conversation is over. With `abandon` even what is whole but unsaved is dropped."""
        fault = FileFault.CANCELLED if abandon else FileFault.ENDED
        for file in (*self._outgoing.values(), *self._incoming.values()):
            file.fail(fault, tell_peer=False)

    def _receive_offer(self, offer: FileOffer) -> None:
        if len(self._incoming) >= MAX_OFFERS or offer.file_id in self._incoming:
            self._carrier.send_soon(FileCancel(offer.file_id, FileCancelReason.DECLINED))
            return
        file = self._incoming[offer.file_id] = IncomingFile(self._carrier, offer)
        self._carrier.tell(FileOffered(file))
