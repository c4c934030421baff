"""What a network or a peer may do to a session, and what it does not achieve."""

import os

import pytest
from tests.core.sessions import ALICE, Line, ratchet_of, say_raw, texts

from whisp.core.content import (
    Receipt,
    ReceiptKind,
    Resume,
    Text,
    encode_content,
)
from whisp.core.events import (
    ContentReceived,
    ContentRefused,
    Ended,
    EndReason,
    Gap,
    ResendFrames,
    UnknownContent,
)
from whisp.core.inbox import GAP_SECONDS
from whisp.core.session import (
    MAX_BROKEN_CONTENTS,
)


@pytest.fixture
def line() -> Line:
    return Line()


# Replays and reflections


def test_s05_replayed_frames_change_nothing(line: Line) -> None:
    line.say(line.alice, Text("once"))
    frame = line.bob.arriving[0]
    line.deliver()
    before = ratchet_of(line.bob.session).snapshot_for_testing()
    for _ in range(300):
        assert line.read_one(line.bob, frame) == []
    assert texts(line.bob) == ["once"]
    assert line.bob.session.repeated_frames == 300
    assert line.bob.session.refused_frames == 0
    assert ratchet_of(line.bob.session).snapshot_for_testing() == before


def test_s05_a_goodbye_of_one_session_does_not_end_another() -> None:
    first, second = Line(), Line()
    bye = first.alice.session.hang_up(first.now)
    assert bye is not None
    assert second.read_one(second.bob, bye) == []
    assert second.read_one(second.alice, bye) == [], "nor does one that comes back to its sender's account"
    assert not second.bob.session.is_ended
    assert second.bob.session.refused_frames == 1


def test_s05_a_frame_reflected_to_its_sender_is_refused(line: Line) -> None:
    line.say(line.alice, Text("a"))
    frame = line.bob.arriving.popleft()
    assert line.read_one(line.alice, frame) == []
    assert line.alice.session.refused_frames == 1


# Frames and contents that are wrong


def test_s11_s29_altered_frames_change_nothing_and_a_hundred_end_it(line: Line) -> None:
    line.say(line.alice, Text("true"))
    frame = bytearray(line.bob.arriving[0])
    frame[-1] ^= 1
    before = ratchet_of(line.bob.session).snapshot_for_testing()
    for _ in range(99):
        assert line.read_one(line.bob, bytes(frame)) == []
    assert ratchet_of(line.bob.session).snapshot_for_testing() == before
    line.deliver()
    assert texts(line.bob) == ["true"], "the true one still opens"
    assert line.read_one(line.bob, bytes(frame)) in ([], [Ended(EndReason.TAMPERED)])


def test_s11_a_hundred_forged_frames_end_the_session(line: Line) -> None:
    for _ in range(99):
        assert line.read_one(line.bob, b"\x10" + os.urandom(321)) == []
    assert line.read_one(line.bob, b"") == [Ended(EndReason.TAMPERED)]
    assert line.bob.session.refused_frames == 99


def test_s11_a_malformed_content_is_counted_and_fills_its_place(line: Line) -> None:
    assert say_raw(line, b"\x01\x00\x00\x00\x01" + bytes(5) + b"\xff") == [ContentRefused(ALICE, 1)]
    assert line.bob.session.broken_contents == 1
    assert say_raw(line, encode_content(Text("next"), 2)) == [ContentReceived(ALICE, 2, Text("next"))]
    assert say_raw(line, b"\x02\x00\x00\x00\x00\x09") == []
    assert say_raw(line, b"\x01\x00") == []
    assert line.bob.session.broken_contents == 3


def test_s11_a_peer_that_keeps_breaking_the_protocol_is_left(line: Line) -> None:
    for _ in range(MAX_BROKEN_CONTENTS - 1):
        assert say_raw(line, b"\x02\x00\x00\x00\x00\x09") == []
    assert say_raw(line, b"\x02\x00\x00\x00\x00\x09") == [Ended(EndReason.PROTOCOL)]


def test_s05_a_number_is_served_once_whatever_the_peer_says(line: Line) -> None:
    assert say_raw(line, encode_content(Text("second"), 2)) == []
    assert say_raw(line, encode_content(Text("other second"), 2)) == []
    first = say_raw(line, encode_content(Text("first"), 1))
    assert first == [ContentReceived(ALICE, 1, Text("first")), ContentReceived(ALICE, 2, Text("second"))]
    for number in (1, 2):
        assert say_raw(line, encode_content(Text("again"), number)) == []
    state = line.bob.session._state
    assert state is not None
    assert (state.inbox.held, state.inbox.missing) == (0, 0)


def test_contents_of_a_newer_version_are_skipped_and_keep_their_place(line: Line) -> None:
    assert say_raw(line, b"\xf0\x00\x00\x00\x01newer") == [UnknownContent(ALICE, 1, 0xF0)]
    assert say_raw(line, b"\xf1\x00\x00\x00\x00newer") == [UnknownContent(ALICE, 0, 0xF1)]
    assert say_raw(line, encode_content(Text("next"), 2)) == [ContentReceived(ALICE, 2, Text("next"))]
    assert line.bob.session.broken_contents == 0


def test_s08_a_receipt_for_what_was_never_said_is_refused(line: Line) -> None:
    line.say(line.bob, Text("only one"))
    line.deliver()
    for content in (Receipt(ReceiptKind.DELIVERED, 2), Resume(False, 2, (2,))):
        assert say_raw(line, encode_content(content, 0)) == []
    assert line.bob.session.broken_contents == 2


def test_s12_a_flood_behind_a_hole_stays_bounded(line: Line) -> None:
    for number in range(2, 2000):
        say_raw(line, encode_content(Text("x" * 100), number))
    state = line.bob.session._state
    assert state is not None
    assert state.inbox.held <= 256
    gaps = [event for event in line.bob.events if isinstance(event, Gap)]
    assert gaps == [Gap(ALICE, 1, 1)]
    assert [event.number for event in line.bob.received] == list(range(2, 2000))


def test_s12_a_flood_of_long_contents_stays_bounded(line: Line) -> None:
    for number in range(2, 60):
        say_raw(line, encode_content(Text("x" * 32_000), number))
        state = line.bob.session._state
        assert state is not None
        assert state.inbox.held * 32_000 <= 1024 * 1024


def test_s12_a_number_far_ahead_costs_no_memory(line: Line) -> None:
    say_raw(line, encode_content(Text("far"), 2**32 - 1))
    state = line.bob.session._state
    assert state is not None
    assert (state.inbox.held, state.inbox.missing) == (1, 2**32 - 2)
    line.now += 1
    line.tick(line.bob)
    line.now += GAP_SECONDS
    line.tick(line.bob)
    assert line.bob.events[0] == Gap(ALICE, 1, 2**32 - 2)
    assert texts(line.bob) == ["far"]


def test_s12_a_peer_that_announces_new_paths_all_the_time_pulls_little(line: Line) -> None:
    for _ in range(50):
        line.say(line.bob, Text("x" * 1000))
    line.drop()
    pulled = 0
    for _ in range(200):
        line.now += 0.01
        for event in line.bob.session.receive(line.alice.session.line_up(line.now)[0], line.now):
            assert isinstance(event, ResendFrames)
            pulled += len(event.frames)
    assert pulled <= 12 * 50, "in two seconds: two new paths, and else each frame five times a second"
