"""After its end a session holds nothing, and while it lives it shows nothing."""

import gc
from types import FunctionType, ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.core.sessions import Line, ratchet_of

from whisp.core.content import (
    FileOffer,
    Text,
)
from whisp.core.events import (
    ResendFrames,
)
from whisp.core.file_key import FileKey, new_file_id
from whisp.core.ratchet import Ratchet


@pytest.fixture
def line() -> Line:
    return Line()


def reachable(root: object) -> list[object]:
    """Return everything that can be reached from an object, but for code: classes, modules, functions."""
    seen: dict[int, object] = {}
    open_ends = [root]
    while open_ends:
        value = open_ends.pop()
        if id(value) not in seen and not isinstance(value, type | ModuleType | FunctionType):
            seen[id(value)] = value
            open_ends += gc.get_referents(value)
    return list(seen.values())


def find_secrets(root: object, planted: list[bytes]) -> set[str]:
    """Name the planted bytes and kinds of keys that a walk from an object finds."""
    found = set()
    for value in reachable(root):
        raw = value.encode() if isinstance(value, str) else value
        if isinstance(raw, bytes | bytearray):
            found |= {repr(secret[:6]) for secret in planted if secret in raw}
        elif isinstance(raw, X25519PrivateKey | AESGCM | Ratchet):
            found.add(type(raw).__name__)
    return found


@pytest.mark.parametrize("ending", ["hang up", "peer left", "lost", "tampered", "panic", "wipe"])
def test_s29_after_any_ending_no_key_and_no_content_is_reachable(line: Line, ending: str) -> None:
    session = line.bob.session
    outgoing = FileOffer(new_file_id(), FileKey(b"outgoing-key".ljust(32)), 9, "a", "")
    sender = session.open_outgoing(outgoing)
    frame = sender.chunk(0, b"plaintext")
    receiver = session.open_incoming(FileOffer(new_file_id(), FileKey.generate(), 9, "a", ""))
    for i in range(3):
        line.say(line.alice, Text(f"canary-held-{i}"))
    line.bob.arriving.popleft()
    line.deliver()
    kept = line.say(line.bob, Text("unconfirmed"))
    assert kept == 1
    sent = bytes(line.alice.arriving[-1])
    chain_keys = [
        value
        for value in reachable(ratchet_of(session))
        if isinstance(value, bytes) and len(value) == 32 and value != bytes(32)
    ]
    assert len(chain_keys) >= 4
    planted = [b"e" * 32, b"canary-held", sent, frame, *chain_keys]
    before = find_secrets(session, planted)
    assert {"X25519PrivateKey", "AESGCM", "Ratchet"} <= before
    assert {repr(secret[:6]) for secret in planted} <= before, "the walk must find what is there"
    match ending:
        case "hang up":
            session.hang_up(line.now)
        case "peer left":
            bye = line.alice.session.hang_up(line.now)
            assert bye is not None
            session.receive(bye, line.now)
        case "lost":
            session.tick(line.now + 61)
        case "tampered":
            while not session.is_ended:
                session.receive(b"noise", line.now)
        case "panic":
            session.panic()
        case _:
            session.wipe()
    assert session.is_ended
    for holder in (session, sender, receiver):
        assert find_secrets(holder, planted) == set()


def test_repr_shows_no_secret(line: Line) -> None:
    session = line.alice.session
    sent = session.send(Text("canary"), line.now)
    due = session.tick(line.now + 20)
    assert due.frames
    for value in (session, session._state, sent, due, session.exporter, ResendFrames(due.frames)):
        shown = repr(value)
        assert "canary" not in shown
        assert "\\x" not in shown
    assert repr(session) == "Session(live)"
    session.wipe()
    assert repr(session) == "Session(wiped)"
