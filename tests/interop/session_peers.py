"""A session of this package and one of the TypeScript twin, behind the same commands.

Byte strings go in and out as hex, contents as they are encoded, a refusal as its error's name.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.interop.node import NodeProgram

from whisp.core.content import FileOffer, Unknown, decode_content, encode_content
from whisp.core.events import Event, Member
from whisp.core.file_key import FileId, FileKey
from whisp.core.file_stream import FileReceiver, FileSender
from whisp.core.key_schedule import Secret
from whisp.core.ratchet import Ratchet
from whisp.core.session import HeldList, Session
from whisp.wire.errors import WhispError
from whisp.wire.ids import AccountId, DeviceId

__all__ = ["Answer", "Peer", "PythonPeer", "TypeScriptPeer"]

Answer = dict[str, Any]


class Peer(Protocol):
    """One end of a session."""

    def ask(self, what: str, now: float, **given: str | int) -> Answer:
        """Do one thing, beginning with "begin"."""


class TypeScriptPeer:
    """A session in web/tests/interop/session-peer.ts."""

    def __init__(self, program: NodeProgram, name: str) -> None:
        self._program = program
        self._name = name

    def ask(self, what: str, now: float, **given: str | int) -> Answer:
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        numbers = {name: value for name, value in given.items() if isinstance(value, int)}
        command = {"session": self._name, "do": what, "now": now, "bytes": texts, "numbers": numbers}
        return self._program.ask(command)


class PythonPeer:
    """A session of this package."""

    _session: Session

    def __init__(self) -> None:
        self._outgoing: dict[bytes, FileSender] = {}
        self._incoming: dict[bytes, FileReceiver] = {}

    def ask(self, what: str, now: float, **given: str | int) -> Answer:
        texts = {name: bytes.fromhex(value) for name, value in given.items() if isinstance(value, str)}
        numbers = {name: value for name, value in given.items() if isinstance(value, int)}
        step: Callable[[float, dict[str, bytes], dict[str, int]], Answer]
        step = getattr(self, "_" + what.replace(" ", "_"))
        try:
            return step(now, texts, numbers)
        except WhispError as error:
            return {"error": type(error).__name__}

    def _begin(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        sid, root = texts["sid"], texts["root_key"]
        pq = (texts["pq_root"], texts["pq_chain_a"], texts["pq_chain_b"], now)
        key = X25519PrivateKey.from_private_bytes(texts["ratchet_key"])
        members = [
            Member(AccountId(texts[f"account_{side}"]), DeviceId(texts[f"account_{side}"][16:]))
            for side in "ab"
        ]
        if numbers["is_initiator"]:
            ratchet = Ratchet.initiator(sid, root, key.public_key().public_bytes_raw(), *pq)
        else:
            ratchet = Ratchet.responder(sid, root, key, *pq)
            members.reverse()
        self._session = Session(
            ratchet,
            sid=sid,
            exporter=Secret(root),
            local=members[0],
            remote=members[1],
            now=now,
            held_list=HeldList(1, b"\x07" * 32),
        )
        return {}

    def _opening(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        return {"frames": [self._session.opening(now).hex()]}

    def _send(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        content = decode_content(texts["content"])[1]
        assert not isinstance(content, Unknown)
        sent = self._session.send(content, now)
        return {"number": sent.number, "frames": [] if sent.frame is None else [sent.frame.hex()]}

    def _receive(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        events = self._session.receive(texts["frame"], now)
        return {"events": [_shown(event) for event in events], **self._state(now, texts, numbers)}

    def _tick(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        due = self._session.tick(now)
        events = [_shown(event) for event in due.events]
        frames = [frame.hex() for frame in due.frames]
        return {"frames": frames, "events": events, **self._state(now, texts, numbers)}

    def _state(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        session = self._session
        return {
            "end": session.end_reason,
            "deadline": None if session.is_ended else session.next_deadline(now),
            "can_send": None if session.is_ended else session.can_send,
            "counts": [session.refused_frames, session.repeated_frames, session.broken_contents],
        }

    def _line_down(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        self._session.line_down(now)
        return {}

    def _line_up(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        return {"frames": [frame.hex() for frame in self._session.line_up(now)]}

    def _mark_read(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        self._session.mark_read(numbers["number"], now)
        return {}

    def _hang_up(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        bye = self._session.hang_up(now)
        return {"frames": [] if bye is None else [bye.hex()]}

    def _open_file(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        file_id = FileId(texts["file_id"])
        offer = FileOffer(file_id, FileKey(texts["key"]), numbers["size"], "f", "")
        if numbers["is_ours"]:
            self._outgoing[file_id] = self._session.open_outgoing(offer)
        else:
            self._incoming[file_id] = self._session.open_incoming(offer)
        return {}

    def _chunk(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        frame = self._outgoing[texts["file_id"]].chunk(numbers["index"], texts["plaintext"])
        return {"frames": [frame.hex()]}

    def _rewind(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        frames = self._outgoing[texts["file_id"]].rewind(numbers["chunk"])
        return {"frames": [frame.hex() for frame in frames]}

    def _acknowledge(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        sender = self._outgoing[texts["file_id"]]
        sender.acknowledge(numbers["chunk"])
        return {"is_done": sender.is_done}

    def _receive_chunk(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        receiver = self._incoming[texts["file_id"]]
        plaintext = receiver.receive(texts["frame"]).hex()
        return {
            "plaintext": plaintext,
            "next_chunk": receiver.next_chunk,
            "is_done": receiver.is_done,
            "is_ack_due": receiver.is_ack_due,
        }

    def _close_file(self, now: float, texts: dict[str, bytes], numbers: dict[str, int]) -> Answer:
        self._session.close_file(FileId(texts["file_id"]))
        return {}


def _shown(event: Event) -> Answer:
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    return {"type": name, **{field.name: _plain(getattr(event, field.name)) for field in fields(event)}}


def _plain(value: Any) -> Any:
    match value:
        case StrEnum() | str() | None:
            return value
        case IntEnum() | int():
            return int(value)
        case bytes():
            return value.hex()
        case tuple():
            return [_plain(item) for item in value]
        case Member():
            return value.account.hex()
        case _:
            return encode_content(value, int(value.COUNTED)).hex()
