"""Python and TypeScript talk, lose, repair and send files: each reads all that the other says.

A schedule is drawn from a seed and played by every pairing of the two. Both must not only understand each
other but behave alike: the same frames at the same times, of the same sizes and places in their chains, the
same events and the same deadlines to the last bit.
"""

from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from tests.interop.node import NodeProgram
from tests.interop.session_peers import Answer, Peer, PythonPeer, TypeScriptPeer

from whisp.core.content import (
    Content,
    FileAck,
    FileDone,
    FileOffer,
    FileRequest,
    MessageReference,
    Text,
    Typing,
    decode_content,
    encode_content,
)
from whisp.core.content.messages import Author
from whisp.core.file_key import FileId, FileKey
from whisp.core.file_stream import CHUNK_BYTES, chunk_count
from whisp.wire.envelope import decode_envelope

START = 1_800_000_000.25
ROUNDS = 20
ACTIONS = 90
SECRETS = ("root_key", "pq_root", "pq_chain_a", "pq_chain_b", "ratchet_key", "account_a", "account_b")


class End:
    """One side: its session, what is on its way to it, and what it has heard and said."""

    def __init__(self, name: str, peer: Peer) -> None:
        self.name = name
        self.peer = peer
        self.arriving: deque[bytes] = deque()
        self.is_up = True
        self.said: list[bytes] = []
        self.place = 0
        self.gaps = 0
        self.deadline = START
        self.can_send = False
        self.is_ended = False
        self.counts = [0, 0, 0]
        self.outgoing: dict[bytes, bytes] = {}
        self.sealed: dict[bytes, int] = {}
        self.acknowledged: dict[bytes, int] = {}
        self.incoming: dict[bytes, bytearray] = {}
        self.done: set[bytes] = set()


class World:
    """Two ends, the line, the time, the checks, and a transcript of all that does not depend on keys."""

    def __init__(self, seed: int, a: Peer, b: Peer) -> None:
        self.random = Random(seed)
        self.now = START
        self.loss = self.random.choice([0.0, 0.05, 0.2])
        self.swap = self.random.choice([0.0, 0.1, 0.4])
        self.repeat = self.random.choice([0.0, 0.1])
        self.a, self.b = End("a", a), End("b", b)
        self.transcript: list[Any] = []
        self.chunks = 0
        secrets = {name: self.random.randbytes(32).hex() for name in SECRETS}
        sid = self.random.randbytes(16).hex()
        for end in (self.a, self.b):
            begun = end.peer.ask("begin", self.now, sid=sid, is_initiator=int(end is self.a), **secrets)
            assert begun == {}
        [opening] = self.ask(self.a, "opening")["frames"]
        self.receive(self.b, bytes.fromhex(opening))
        self.note(self.a, self.a.peer.ask("state", self.now))

    def run(self) -> None:
        """Play the schedule, let the line heal, and require that nothing is missing silently."""
        for _ in range(ACTIONS):
            end = self.random.choice((self.a, self.b))
            self.act(end, self.random.random())
            self.tick()
        self.loss = self.swap = self.repeat = 0.0
        for end in (self.a, self.b):
            self.new_path(end)
        for _ in range(self.random.choice([60, 60, 60, 640])):
            self.now += 1
            self.tick()
            self.deliver(999)
        self.require_complete()
        self.hang_up()

    def act(self, end: End, chance: float) -> None:
        """Let one thing happen."""
        if chance < 0.30:
            self.say_something(end)
        elif chance < 0.35:
            self.say(end, Typing(self.random.random() < 0.5))
        elif chance < 0.40 and end.place:
            self.ask(end, "mark read", number=self.random.randint(1, end.place))
        elif chance < 0.45 and len(end.outgoing) < 2:
            self.offer_file(end)
        elif chance < 0.48:
            self.new_path(end)
        elif chance < 0.50 and end.is_up:
            end.is_up = False
            self.ask(end, "line down")
        elif chance < 0.80:
            self.deliver(self.random.randint(1, 12))
        else:
            self.now += self.random.choice([0.01, 0.1, 0.5, 2, 7])

    def say_something(self, end: End) -> None:
        """Let an end send a text, as long as anything, in reply to something or nothing."""
        if not end.can_send:
            return
        body = f"{end.name}{len(end.said)} é€😀".ljust(self.random.choice([1, 20, 200, 3000]), "…")
        reply = None
        if end.place and self.random.random() < 0.3:
            reply = MessageReference(Author.RECEIVER, self.random.randint(1, end.place))
        self.say(end, Text(body, reply))

    def say(self, end: End, content: Content) -> None:
        """Send a content, and remember it if it is counted."""
        if content.COUNTED and not end.can_send:
            return
        encoded = encode_content(content, int(content.COUNTED))
        answer = self.ask(end, "send", content=encoded.hex())
        if content.COUNTED:
            end.said.append(encoded)
            assert answer["number"] == len(end.said)
        self.note(end, end.peer.ask("state", self.now))
        self.put(end, answer["frames"])

    def offer_file(self, end: End) -> None:
        """Offer a file of a few chunks."""
        if not end.can_send:
            return
        file_id, key = self.random.randbytes(16), self.random.randbytes(32)
        size = self.random.choice([0, 1, 5000, CHUNK_BYTES, 2 * CHUNK_BYTES + 77])
        end.outgoing[file_id] = self.random.randbytes(size)
        end.sealed[file_id] = end.acknowledged[file_id] = 0
        self.ask(end, "open file", file_id=file_id.hex(), key=key.hex(), size=size, is_ours=1)
        self.say(end, FileOffer(FileId(file_id), FileKey(key), size, "ñ.bin", "a/b"))

    def send_chunks(self, end: End, file_id: bytes, first: int) -> None:
        """Answer a FILE_REQUEST: what was sealed again, then the rest."""
        end.acknowledged[file_id] = first
        again = self.ask(end, "rewind", file_id=file_id.hex(), chunk=first)["frames"]
        self.put(end, again)
        content = end.outgoing[file_id]
        while end.sealed[file_id] < chunk_count(len(content)):
            index = end.sealed[file_id]
            plaintext = content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
            given = {"file_id": file_id.hex(), "plaintext": plaintext.hex()}
            self.put(end, self.ask(end, "chunk", index=index, **given)["frames"])
            end.sealed[file_id] += 1

    def new_path(self, end: End) -> None:
        """Lose what is under way to and from an end, and open a path; unfinished files are asked for."""
        self.other(end).arriving.clear()
        end.arriving.clear()
        for one in (end, self.other(end)):
            one.is_up = True
            self.put(one, self.ask(one, "line up")["frames"])
            for file_id, content in one.incoming.items():
                if file_id not in one.done:
                    chunk = -(-len(content) // CHUNK_BYTES)
                    self.say(one, FileRequest(FileId(file_id), chunk))

    def deliver(self, most: int) -> None:
        """Let so many frames arrive, as the line's weather has it. Chunks stay in order."""
        for _ in range(most):
            for end in (self.a, self.b):
                if not end.arriving or not end.is_up:
                    continue
                if self.random.random() < self.swap and all(frame[0] == 0x10 for frame in end.arriving):
                    end.arriving.rotate(1)
                frame = end.arriving.popleft()
                if frame[0] == 0x11:
                    self.receive_chunk(end, frame)
                elif self.random.random() >= self.loss:
                    self.receive(end, frame)
                    if self.random.random() < self.repeat:
                        self.receive(end, frame)

    def tick(self) -> None:
        """Let both ends do what is due."""
        for end in (self.a, self.b):
            if not end.is_ended and end.deadline <= self.now:
                self.note(end, self.ask(end, "tick"))

    def receive(self, end: End, frame: bytes) -> None:
        """Let an end read a message."""
        if not end.is_ended:
            self.note(end, self.ask(end, "receive", frame=frame.hex()))

    def receive_chunk(self, end: End, frame: bytes) -> None:
        """Let an end read a chunk, unless it is one of a path that is gone."""
        file_id, index = frame[1:17], int.from_bytes(frame[17:21], "big")
        content = end.incoming.get(file_id)
        if content is None or file_id in end.done or index != -(-len(content) // CHUNK_BYTES):
            return
        answer = self.ask(end, "receive chunk", file_id=file_id.hex(), frame=frame.hex())
        content += bytes.fromhex(answer["plaintext"])
        self.chunks += 1
        if answer["is_ack_due"]:
            self.say(end, FileAck(FileId(file_id), answer["next_chunk"]))
        if answer["is_done"]:
            assert bytes(content) == self.other(end).outgoing[file_id]
            end.done.add(file_id)
            self.say(end, FileDone(FileId(file_id)))

    def note(self, end: End, answer: Answer) -> None:
        """Take in what an end says of itself, and check what it heard."""
        self.put(end, answer.get("frames", []))
        for event in answer.get("events", []):
            self.heard(end, event)
        if "counts" in answer:
            end.deadline, end.can_send = answer["deadline"], answer["can_send"]
            end.is_ended, end.counts = answer["end"] is not None, answer["counts"]

    def heard(self, end: End, event: Answer) -> None:
        """Check an event: the peer's contents once, in order, as they were said, or in a gap."""
        match event["type"]:
            case "resend-frames":
                self.put(end, event["frames"])
            case "gap":
                assert event["first"] == end.place + 1
                end.place += event["count"]
                end.gaps += event["count"]
            case "content-received":
                encoded = bytes.fromhex(event["content"])
                if event["number"]:
                    assert event["number"] == end.place + 1
                    assert encoded == self.other(end).said[end.place]
                    end.place += 1
                self.act_on(end, decode_content(encoded)[1])
            case kind:
                kinds = ("delivered", "undelivered", "read", "list-reported", "peer-left", "ended")
                assert kind in kinds

    def act_on(self, end: End, content: object) -> None:
        """Do what a client does with what is said about files."""
        match content:
            case FileOffer():
                end.incoming[content.file_id] = bytearray()
                given = {"file_id": content.file_id.hex(), "key": content.key.expose().hex()}
                self.ask(end, "open file", size=content.size, is_ours=0, **given)
                self.say(end, FileRequest(content.file_id, 0))
            case FileRequest() if content.file_id in end.sealed:
                # One that was said before a break may come after the answer to the one said after it.
                if content.chunk >= end.acknowledged[content.file_id]:
                    self.send_chunks(end, content.file_id, content.chunk)
            case FileAck() if content.file_id in end.sealed:
                self.ask(end, "acknowledge", file_id=content.file_id.hex(), chunk=content.chunk)
                end.acknowledged[content.file_id] = max(content.chunk, end.acknowledged[content.file_id])
            case FileDone():
                end.sealed.pop(content.file_id)
                self.ask(end, "close file", file_id=content.file_id.hex())

    def require_complete(self) -> None:
        """Everything said was read or declared lost, nothing was refused, files are whole."""
        for end in (self.a, self.b):
            assert not end.is_ended
            assert end.place == len(self.other(end).said)
            assert end.gaps < end.place or not end.place
            assert (end.counts[0], end.counts[2]) == (0, 0)
            if not end.gaps and not self.other(end).gaps:
                assert set(end.incoming) == end.done

    def hang_up(self) -> None:
        """End it with a goodbye that the other side reads."""
        [bye] = self.ask(self.a, "hang up")["frames"]
        self.receive(self.b, bytes.fromhex(bye))
        assert self.b.is_ended

    def put(self, sender: End, frames: list[str]) -> None:
        """Put frames on the line."""
        if sender.is_up:
            self.other(sender).arriving.extend(bytes.fromhex(frame) for frame in frames)

    def other(self, end: End) -> End:
        """Return the far end."""
        return self.b if end is self.a else self.a

    def ask(self, end: End, what: str, **given: str | int) -> Answer:
        """Do one thing; write down what it led to, without what depends on keys."""
        answer = end.peer.ask(what, self.now, **given)
        self.transcript.append((end.name, what, self.now, masked(answer)))
        assert "error" not in answer, (what, answer)
        return answer


def masked(answer: Answer) -> Answer:
    """Return an answer with each frame as its size and its place."""
    shown = dict(answer)
    if "frames" in answer:
        shown["frames"] = [place_of(bytes.fromhex(frame)) for frame in answer["frames"]]
    if "events" in answer:
        shown["events"] = [masked(event) for event in answer["events"]]
    return shown


def place_of(frame: bytes) -> list[int]:
    """Return what a frame says in the clear and every key would."""
    if frame[0] == 0x11:
        return [len(frame), *frame[17:22]]
    header = decode_envelope(frame)[0]
    return [len(frame), frame[1], header.n, header.previous_n, header.epoch, header.epoch_n]


@pytest.fixture(scope="module")
def program() -> Iterator[NodeProgram]:
    with NodeProgram("session-peer.ts") as running:
        yield running


def play_by_all(program: NodeProgram, seed: int) -> None:
    """Play one schedule between two Pythons, and between each and the other; all must go alike."""
    pairings: list[tuple[Peer, Peer]] = [
        (PythonPeer(), PythonPeer()),
        (PythonPeer(), TypeScriptPeer(program, "b")),
        (TypeScriptPeer(program, "a"), PythonPeer()),
    ]
    worlds = [World(seed, a, b) for a, b in pairings]
    for world in worlds:
        world.run()
    ours = worlds[0].transcript
    for world in worlds[1:]:
        for step, same in zip(ours, world.transcript, strict=False):
            assert same == step
        assert len(world.transcript) == len(ours)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_s08_both_read_all_the_other_says_and_behave_alike(program: NodeProgram, seed: int) -> None:
    play_by_all(program, seed)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_s08_a_thousand_schedules_go_alike(program: NodeProgram) -> None:
    for seed in range(1000, 2000):
        play_by_all(program, seed)
