"""Stories of a session: what both sides see from the first frame to the wipe."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.core.sessions import A_LIST, ALICE, BOB, START, Line, ratchet_of, session_pair, texts

from whisp.core.content import (
    Bye,
    ByeReason,
    FileAck,
    FileOffer,
    Heartbeat,
    ListReport,
    ListUpdate,
    Receipt,
    ReceiptKind,
    Resume,
    Text,
    Typing,
)
from whisp.core.errors import DecryptionError, SessionEndedError
from whisp.core.events import (
    ContentReceived,
    Delivered,
    Ended,
    EndReason,
    Gap,
    ListReported,
    PeerLeft,
    Read,
    ResendFrames,
    Undelivered,
)
from whisp.core.file_key import FileKey, new_file_id
from whisp.core.inbox import GAP_SECONDS
from whisp.core.key_schedule import Secret
from whisp.core.outbox import MAX_UNCONFIRMED, OutboxFullError
from whisp.core.ratchet import Ratchet
from whisp.core.session import (
    HEARTBEAT_SECONDS,
    LIST_REPORT_SECONDS,
    MAX_OPEN_FILES,
    HeldList,
    Session,
)
from whisp.wire.errors import LocalProtocolError
from whisp.wire.limits import HOLD_SECONDS


@pytest.fixture
def line() -> Line:
    return Line()


# Talking


def test_a_text_arrives_is_confirmed_and_read(line: Line) -> None:
    number = line.say(line.alice, Text("hello"))
    line.deliver()
    assert line.bob.events == [ContentReceived(ALICE, number, Text("hello"))]
    line.pass_time(0.1)
    assert line.alice.events == [Delivered(BOB, 1, 1)]
    line.bob.session.mark_read(number, line.now)
    line.pass_time(0.1)
    assert line.alice.events[1:] == [Read(BOB, 1, 1)]


def test_a_burst_is_confirmed_by_few_receipts(line: Line) -> None:
    for i in range(40):
        line.say(line.alice, Text(str(i)))
    line.deliver()
    line.pass_time(0.01)
    assert line.alice.events == [Delivered(BOB, 1, 40)], "many at once do not wait"
    line.say(line.alice, Text("one more"))
    line.deliver()
    line.pass_time(0.04)
    assert len(line.alice.events) == 1, "one alone waits a moment for company"
    line.pass_time(0.02)
    assert line.alice.events[1:] == [Delivered(BOB, 41, 41)]


def test_reading_implies_delivery(line: Line) -> None:
    line.say(line.alice, Text("a"))
    line.deliver()
    line.bob.session.mark_read(1, line.now)
    line.pass_time(0.1)
    assert line.alice.events == [Delivered(BOB, 1, 1), Read(BOB, 1, 1)]


def test_only_what_was_delivered_can_be_marked_read(line: Line) -> None:
    for number in (0, -1, 1):
        with pytest.raises(LocalProtocolError):
            line.bob.session.mark_read(number, line.now)


def test_uncounted_contents_have_no_number_and_no_receipt(line: Line) -> None:
    assert line.say(line.alice, Typing(True)) == 0
    line.deliver()
    line.pass_time(1)
    assert line.bob.events == [ContentReceived(ALICE, 0, Typing(True))]
    assert line.alice.events == []


@pytest.mark.parametrize(
    "content",
    [
        Heartbeat(1),
        Receipt(ReceiptKind.READ, 1),
        Resume(True, 0),
        Bye(ByeReason.IDLE, 0),
        ListReport(1, bytes(32)),
    ],
    ids=lambda content: type(content).__name__,
)
def test_what_the_session_says_itself_no_one_else_may_send(line: Line, content: Heartbeat) -> None:
    with pytest.raises(LocalProtocolError, match="for the session"):
        line.alice.session.send(content, line.now)


def test_a_responder_waits_for_the_first_message() -> None:
    root, pq_root, pq_a, pq_b = (os.urandom(32) for _ in range(4))
    private_key = X25519PrivateKey.generate()
    ratchet = Ratchet.responder(b"s" * 16, root, private_key, pq_root, pq_a, pq_b, START)
    session = Session(ratchet, sid=b"s" * 16, exporter=Secret(b"e"), local=BOB, remote=ALICE, now=START)
    assert not session.can_send
    with pytest.raises(LocalProtocolError):
        session.send(Text("too early"), START)
    assert session.tick(START + 30).frames == ()
    assert session.line_up(START + 31) == ()
    assert session.next_deadline(START) == START + HOLD_SECONDS
    assert session.hang_up(START + 32) is None


def test_members_name_both_sides(line: Line) -> None:
    assert line.alice.session.members == (ALICE, BOB)
    assert line.bob.session.members == (BOB, ALICE)


# Loss, order, gaps


def test_s08_what_overtakes_waits_for_its_place(line: Line) -> None:
    for body in "abc":
        line.say(line.alice, Text(body))
    frames = list(line.bob.arriving)
    line.bob.arriving.clear()
    assert line.read_one(line.bob, frames[2]) == []
    assert line.read_one(line.bob, frames[1]) == []
    line.read_one(line.bob, frames[0])
    assert texts(line.bob) == ["a", "b", "c"]


def test_s08_a_lost_message_is_resent_as_the_same_bytes(line: Line) -> None:
    line.say(line.alice, Text("lost"))
    lost = line.bob.arriving.popleft()
    line.now += 1
    line.say(line.alice, Text("kept"))
    line.deliver()
    assert texts(line.bob) == []
    line.pass_time(0.5)
    assert texts(line.bob) == ["lost", "kept"]
    resent = [event for event in line.alice.events if isinstance(event, ResendFrames)]
    assert [event.frames for event in resent] == [(lost,)]


def test_s08_a_lost_tail_is_found_within_seconds(line: Line) -> None:
    line.say(line.alice, Text("lost"))
    line.drop()
    line.pass_time(2.5)
    assert texts(line.bob) == ["lost"]
    assert Delivered(BOB, 1, 1) in line.alice.events


def test_s08_a_lost_receipt_is_given_again(line: Line) -> None:
    line.say(line.alice, Text("a"))
    line.deliver()
    line.now += 0.1
    line.tick(line.bob)
    assert line.drop() == 1
    line.pass_time(5)
    assert line.alice.events == [Delivered(BOB, 1, 1)]


def test_s08_a_hole_that_stays_becomes_a_visible_gap(line: Line) -> None:
    for body in "abcd":
        line.say(line.alice, Text(body))
    frames = list(line.bob.arriving)
    line.bob.arriving.clear()
    for index in (0, 3):
        line.read_one(line.bob, frames[index])
    while line.now < START + GAP_SECONDS + 0.1:
        line.now += 0.1
        line.tick(line.bob)
        line.drop()  # every request is lost
    assert line.bob.events == [
        ContentReceived(ALICE, 1, Text("a")),
        Gap(ALICE, 2, 2),
        ContentReceived(ALICE, 4, Text("d")),
    ]
    line.pass_time(3)
    assert line.alice.events == [Delivered(BOB, 1, 1), Undelivered(BOB, 2, 3), Delivered(BOB, 4, 4)]
    assert line.read_one(line.bob, frames[1]) == [], "too late: its place is declared lost"


def test_s08_receipts_never_cover_what_waits_behind_a_hole(line: Line) -> None:
    for body in "abc":
        line.say(line.alice, Text(body))
    frames = list(line.bob.arriving)
    line.bob.arriving.clear()
    line.read_one(line.bob, frames[0])
    line.read_one(line.bob, frames[2])
    line.now += 0.06
    line.tick(line.bob)
    line.deliver()
    assert Delivered(BOB, 1, 1) in line.alice.events
    assert not any(isinstance(e, Delivered) and e.up_to > 1 for e in line.alice.events if e)


def test_s08_a_read_receipt_leaves_out_what_was_lost(line: Line) -> None:
    for body in "abc":
        line.say(line.alice, Text(body))
    del line.bob.arriving[1]
    line.deliver()
    while not any(isinstance(event, Gap) for event in line.bob.events):
        line.now += 0.1
        line.tick(line.bob)
        line.drop()
    line.bob.session.mark_read(3, line.now)
    line.pass_time(1)
    reads = [event for event in line.alice.events if isinstance(event, Read)]
    assert reads == [Read(BOB, 1, 1), Read(BOB, 3, 3)]


def test_the_outbox_stops_a_sender_nobody_confirms_and_loses_nothing(line: Line) -> None:
    for i in range(MAX_UNCONFIRMED):
        line.say(line.alice, Text(str(i)))
    assert not line.alice.session.can_send
    with pytest.raises(OutboxFullError):
        line.alice.session.send(Text("too much"), line.now)
    line.drop()
    line.pass_time(20)
    assert texts(line.bob) == [str(i) for i in range(MAX_UNCONFIRMED)]
    line.say(line.alice, Text("not too much any more"))


def test_long_texts_fill_the_outbox_by_bytes(line: Line) -> None:
    sent = 0
    while line.alice.session.can_send:
        line.say(line.alice, Text("x" * 32_768))
        sent += 1
    assert 29 <= sent <= 32
    line.deliver()
    line.pass_time(0.1)
    line.say(line.alice, Text("room again"))
    line.deliver()
    assert len(texts(line.bob)) == sent + 1


# Paths


def test_what_is_said_while_the_line_is_down_arrives_when_it_is_back(line: Line) -> None:
    line.say(line.alice, Text("before"))
    line.deliver()
    line.alice.session.line_down(line.now)
    assert not line.alice.session.is_line_up
    assert line.alice.session.send(Text("held"), line.now).frame is None
    assert line.alice.session.send(Typing(True), line.now).frame is None
    line.pass_time(30)
    assert texts(line.bob) == ["before"]
    first = line.alice.session.line_up(line.now)
    line.bob.arriving.extend(first)
    line.pass_time(0.5)
    assert texts(line.bob) == ["before", "held"]
    assert Delivered(BOB, 2, 2) in line.alice.events


def test_a_new_path_opens_with_a_request_for_what_the_old_one_lost(line: Line) -> None:
    line.say(line.bob, Text("one"))
    line.deliver()
    for body in ("two", "three"):
        line.say(line.bob, Text(body))
    line.drop()
    resume = line.alice.session.line_up(line.now)[0]
    (answer,) = line.read_one(line.bob, resume)
    assert isinstance(answer, ResendFrames)
    assert len(answer.frames) == 2
    line.deliver()
    assert texts(line.alice) == ["one", "two", "three"]


def test_holes_keep_their_time_while_the_line_is_down(line: Line) -> None:
    for body in "ab":
        line.say(line.alice, Text(body))
    lost = line.bob.arriving.popleft()
    line.deliver()
    line.bob.session.line_down(line.now)
    line.now += 20
    line.tick(line.bob)
    assert line.bob.events == []
    line.alice.arriving.extend(line.bob.session.line_up(line.now))
    line.now += GAP_SECONDS - 0.1
    line.tick(line.bob)
    assert line.bob.events == []
    line.read_one(line.bob, lost)
    assert texts(line.bob) == ["a", "b"]


def test_silence_is_broken_every_fifteen_seconds(line: Line) -> None:
    line.pass_time(600)
    assert not line.alice.session.is_ended
    assert not line.bob.session.is_ended
    sent_at = line.now
    line.pass_time(HEARTBEAT_SECONDS)
    assert line.alice.session.held_until >= sent_at + HOLD_SECONDS


def test_s08_sixty_seconds_without_an_authentic_message_end_it(line: Line) -> None:
    heard = line.now
    while not line.bob.session.is_ended:
        line.now += 1
        line.tick(line.bob)
        line.drop()
        if not line.bob.session.is_ended:
            line.bob.session.receive(b"\x10" + os.urandom(321), line.now)  # noise is no sign of life
        assert line.now <= heard + HOLD_SECONDS
    assert line.now == heard + HOLD_SECONDS
    assert line.bob.events == [Ended(EndReason.LOST)]
    assert line.bob.session.end_reason is EndReason.LOST


def test_a_clock_that_runs_back_stands_still(line: Line) -> None:
    line.pass_time(10)
    line.say(line.alice, Text("a"))
    line.tick(line.bob)
    line.bob.session.receive(line.bob.arriving.popleft(), START - 1000)
    assert line.bob.session.held_until == line.now + HOLD_SECONDS
    line.pass_time(100)
    assert not line.bob.session.is_ended


# Rekeying


def test_s08_a_line_that_drops_every_rekey_ends_the_session(line: Line) -> None:
    line.loses = lambda frame: frame[1] & 0b11 != 0
    for _ in range(70):
        for side in (line.alice, line.bob):
            if not side.session.is_ended:
                line.say(side, Text("still talking"))
        line.pass_time(5)
    assert {line.alice.session.end_reason, line.bob.session.end_reason} <= {
        EndReason.PQ_STALLED,
        EndReason.LOST,
    }
    assert line.now >= START + 300


def test_s08_a_message_held_for_minutes_comes_in_time_from_elsewhere(line: Line) -> None:
    line.say(line.alice, Text("held back"))
    held = line.bob.arriving.popleft()
    line.pass_time(600)
    assert texts(line.bob) == ["held back"]
    assert line.read_one(line.bob, held) == []
    assert texts(line.bob) == ["held back"]


# Lists


def test_each_side_reports_the_list_it_holds_every_ten_minutes() -> None:
    line = Line(HeldList(3, b"h" * 32))
    line.pass_time(LIST_REPORT_SECONDS - 1)
    assert line.alice.events == []
    line.pass_time(2)
    assert line.alice.events == [ListReported(BOB, 3, b"h" * 32)]
    line.bob.session.hold_list(HeldList(4, b"i" * 32))
    line.pass_time(LIST_REPORT_SECONDS)
    assert line.alice.events[1:] == [ListReported(BOB, 4, b"i" * 32)]
    assert line.bob.events == [ListReported(ALICE, 3, b"h" * 32)] * 2


def test_a_newer_list_travels_as_a_counted_content(line: Line) -> None:
    line.say(line.alice, ListUpdate(A_LIST))
    line.deliver()
    assert line.bob.events == [ContentReceived(ALICE, 1, ListUpdate(A_LIST))]


# Leaving


def test_hanging_up_ends_both_sides(line: Line) -> None:
    line.say(line.alice, Text("bye then"))
    bye = line.alice.session.hang_up(line.now)
    assert bye is not None
    line.bob.arriving.append(bye)
    line.deliver()
    assert line.alice.session.end_reason is EndReason.HUNG_UP
    assert line.bob.events[1:] == [PeerLeft(ALICE, ByeReason.HUNG_UP, 0), Ended(EndReason.PEER_LEFT)]


def test_a_goodbye_tells_how_much_was_lost(line: Line) -> None:
    for body in "abcde":
        line.say(line.alice, Text(body))
    frames = list(line.bob.arriving)
    line.bob.arriving.clear()
    for index in (0, 2):
        line.read_one(line.bob, frames[index])
    bye = line.alice.session.hang_up(line.now, ByeReason.IDLE)
    assert bye is not None
    line.read_one(line.bob, bye)
    assert line.bob.events == [
        ContentReceived(ALICE, 1, Text("a")),
        Gap(ALICE, 2, 1),
        ContentReceived(ALICE, 3, Text("c")),
        PeerLeft(ALICE, ByeReason.IDLE, 2),
        Ended(EndReason.PEER_LEFT),
    ]


def test_s08_a_goodbye_that_never_comes_leaves_the_window_open(line: Line) -> None:
    line.alice.session.hang_up(line.now)
    line.pass_time(HOLD_SECONDS - 1)
    assert not line.bob.session.is_ended
    line.pass_time(1)
    assert line.bob.events == [Ended(EndReason.LOST)]


def test_s29_panic_wipes_first_and_hands_out_the_goodbye_that_lay_ready(line: Line) -> None:
    line.say(line.alice, Text("a"))
    line.deliver()
    line.pass_time(1)
    bye = line.alice.session.panic()
    assert line.alice.session.end_reason is EndReason.WIPED
    assert bye is not None
    assert line.read_one(line.bob, bye) == [
        PeerLeft(ALICE, ByeReason.LOCKED, 0),
        Ended(EndReason.PEER_LEFT),
    ]
    assert line.alice.session.panic() is None


def test_s29_the_goodbye_that_lies_ready_opens_after_a_long_lively_talk(line: Line) -> None:
    for i in range(60):
        line.say(line.alice, Text(f"a{i}"))
        line.say(line.bob, Text(f"b{i}"))
        line.pass_time(0.3)
    line.pass_time(50)
    bye = line.bob.session.panic()
    assert bye is not None
    assert PeerLeft(BOB, ByeReason.LOCKED, 0) in line.read_one(line.alice, bye)


def test_a_goodbye_that_never_leaves_keeps_healing_going(line: Line) -> None:
    line.pass_time(400)
    assert ratchet_of(line.alice.session).epoch >= 3, "the KEM still steps in a silent call"


def test_nothing_can_be_sent_on_a_line_that_is_down(line: Line) -> None:
    line.alice.session.line_down(line.now)
    assert line.alice.session.tick(line.now + 30).frames == ()
    assert line.alice.session.hang_up(line.now) is None
    line.say(line.bob, Text("so that a goodbye lies ready"))
    line.bob.session.line_down(line.now)
    assert line.bob.session.panic() is None


def test_after_the_end_everything_but_wiping_raises(line: Line) -> None:
    session = line.alice.session
    session.hang_up(line.now)
    offer = FileOffer(new_file_id(), FileKey.generate(), 1, "a", "")
    for use in (
        lambda: session.send(Text("a"), line.now),
        lambda: session.receive(b"", line.now),
        lambda: session.tick(line.now),
        lambda: session.next_deadline(line.now),
        lambda: session.line_down(line.now),
        lambda: session.line_up(line.now),
        lambda: session.mark_read(1, line.now),
        lambda: session.hold_list(HeldList(1, bytes(32))),
        lambda: session.hang_up(line.now),
        lambda: session.open_outgoing(offer),
        lambda: session.open_incoming(offer),
        lambda: session.close_file(offer.file_id),
        lambda: session.opening(line.now),
        lambda: session.exporter,
        lambda: session.can_send,
        lambda: session.held_until,
        lambda: session.is_line_up,
    ):
        with pytest.raises(SessionEndedError):
            use()
    session.wipe()
    assert session.end_reason is EndReason.HUNG_UP, "the first reason stays"


# Files of a session


def test_files_open_close_and_are_bounded(line: Line) -> None:
    offers = [FileOffer(new_file_id(), FileKey.generate(), 5, "a", "") for _ in range(MAX_OPEN_FILES + 1)]
    senders = [line.alice.session.open_outgoing(offer) for offer in offers[:-1]]
    with pytest.raises(LocalProtocolError):
        line.alice.session.open_outgoing(offers[-1])
    line.alice.session.close_file(offers[0].file_id)
    with pytest.raises(SessionEndedError):
        senders[0].chunk(0, b"plain")
    line.alice.session.open_outgoing(offers[-1])
    with pytest.raises(LocalProtocolError):
        line.alice.session.open_outgoing(offers[1])
    receiver = line.bob.session.open_incoming(offers[1])
    assert receiver.receive(senders[1].chunk(0, b"plain")) == b"plain"
    line.say(line.bob, FileAck(offers[1].file_id, 1))
    line.deliver()
    assert line.alice.events == [ContentReceived(BOB, 0, FileAck(offers[1].file_id, 1))]


def test_a_file_of_another_session_does_not_open() -> None:
    offer = FileOffer(new_file_id(), FileKey.generate(), 5, "a", "")
    first, _ = session_pair()
    _, second = session_pair()
    frame = first.open_outgoing(offer).chunk(0, b"plain")
    with pytest.raises(DecryptionError):
        second.open_incoming(offer).receive(frame)
