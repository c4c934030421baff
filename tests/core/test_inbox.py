"""An inbox serves each number once and in order, whatever comes, and stays small."""

from hypothesis import given
from hypothesis import strategies as st
from tests.core.sessions import ALICE

from whisp.core.content import MAX_HOLES, MAX_NUMBER, Receipt, ReceiptKind, Resume, Run
from whisp.core.events import ContentRefused, Gap
from whisp.core.inbox import (
    ASK_AGAIN_SECONDS,
    GAP_SECONDS,
    MAX_HELD,
    MAX_HELD_BYTES,
    REORDER_SECONDS,
    Delivery,
    Inbox,
)


def content(number: int) -> ContentRefused:
    """Return some delivery that names its number."""
    return ContentRefused(ALICE, number)


def served(deliveries: list[Delivery]) -> list[int]:
    """Return all numbers that deliveries account for, in order."""
    numbers: list[int] = []
    for delivery in deliveries:
        if isinstance(delivery, Gap):
            numbers += range(delivery.first, delivery.first + delivery.count)
        else:
            numbers.append(delivery.number)
    return numbers


arrivals = st.lists(
    st.tuples(
        st.sampled_from(["content", "learn", "wait", "path"]), st.integers(1, 60), st.integers(1, 400_000)
    ),
    max_size=150,
)


@given(arrivals)
def test_s08_every_number_is_served_once_in_order(steps: list[tuple[str, int, int]]) -> None:
    inbox, now = Inbox(ALICE), 0.0
    deliveries: list[Delivery] = []
    came: set[int] = set()
    for action, number, size in steps:
        match action:
            case "content":
                deliveries += inbox.receive(number, content(number), size, now)
                came.add(number)
            case "learn":
                inbox.learn(number, now)
            case "wait":
                now += number / 10
                deliveries += inbox.expire(now)
            case _:
                asked = inbox.ask_on_new_path(now)
                assert asked.fault() is None
                assert not came & set(asked.holes)
        assert served(deliveries) == list(range(1, inbox.delivered + 1))
        assert inbox.held <= MAX_HELD
        asked_now = inbox.ask(now)
        assert asked_now is None or asked_now.fault() is None
        assert inbox.delivered == 0 or Receipt(ReceiptKind.READ, inbox.delivered, inbox.lost).fault() is None
    lost = {n for run in inbox.lost for n in range(run.first, run.last + 1)}
    given_up = {
        n for gap in deliveries if isinstance(gap, Gap) for n in range(gap.first, gap.first + gap.count)
    }
    assert given_up <= lost
    rest, tail = inbox.finish(60)
    assert served(deliveries + rest) == list(range(1, inbox.delivered + 1))
    assert tail == 60 - inbox.delivered


def test_a_hole_is_asked_for_soon_and_then_with_patience() -> None:
    inbox = Inbox(ALICE)
    inbox.receive(3, content(3), 10, 0.0)
    assert inbox.ask(REORDER_SECONDS / 2) is None
    asked = []
    now = 0.0
    while now < GAP_SECONDS:
        deadline = inbox.next_deadline()
        assert deadline is not None
        assert deadline >= now
        now = deadline
        if inbox.ask(now) == Resume(False, 3, (1, 2)):
            asked.append(round(now, 2))
    assert asked[:4] == [
        REORDER_SECONDS,
        REORDER_SECONDS + ASK_AGAIN_SECONDS,
        REORDER_SECONDS + 3 * ASK_AGAIN_SECONDS,
        REORDER_SECONDS + 7 * ASK_AGAIN_SECONDS,
    ]
    assert len(asked) == 7
    assert inbox.expire(now) == [Gap(ALICE, 1, 2), content(3)]
    assert inbox.next_deadline() is None


def test_a_request_names_no_more_than_it_may() -> None:
    inbox = Inbox(ALICE)
    inbox.learn(200, 0.0)
    asked = inbox.ask(1.0)
    assert asked == Resume(False, 200, tuple(range(1, MAX_HOLES + 1)))
    for number in asked.holes:
        inbox.receive(number, content(number), 1, 1.0)
    again = inbox.ask(2.0)
    assert again is not None
    assert again.holes == tuple(range(MAX_HOLES + 1, 2 * MAX_HOLES + 1))


def test_a_new_path_asks_below_the_highest_that_came_and_for_all_above() -> None:
    inbox = Inbox(ALICE)
    for number in (1, 4):
        inbox.receive(number, content(number), 1, 0.0)
    inbox.learn(9, 0.0)
    assert inbox.ask_on_new_path(0.0) == Resume(True, 4, (2, 3))
    assert Inbox(ALICE).ask_on_new_path(0.0) == Resume(True, 0, ())


def test_s12_bytes_behind_a_hole_are_bounded() -> None:
    inbox = Inbox(ALICE)
    deliveries: list[Delivery] = []
    for number in (2, 3, 4):
        deliveries += inbox.receive(number, content(number), MAX_HELD_BYTES // 2, 0.0)
    assert deliveries == [Gap(ALICE, 1, 1), content(2), content(3), content(4)]


def test_s12_a_peer_that_only_counts_up_costs_little() -> None:
    inbox = Inbox(ALICE)
    for number in range(1, 20_000):
        inbox.learn(number, 0.0)
    assert len(inbox._holes) <= MAX_HELD + 2
    inbox.learn(MAX_NUMBER, 0.0)
    assert inbox.missing == MAX_NUMBER
    assert served([d for d in inbox.expire(GAP_SECONDS) if isinstance(d, Gap) and d.count == 1]) == list(
        range(1, MAX_HELD + 1)
    )
    assert inbox.delivered == MAX_NUMBER


def test_a_receipt_with_many_gaps_stays_short_and_never_says_too_much() -> None:
    inbox = Inbox(ALICE)
    received = set(range(2, 202, 4))
    for number in sorted(received):
        inbox.receive(number, ContentRefused(ALICE, number), 1, 0.0)
    inbox.expire(100.0)
    lost = inbox.lost
    assert len(lost) == 16
    assert Receipt(ReceiptKind.DELIVERED, inbox.delivered, lost).fault() is None
    missing = {n for n in range(1, inbox.delivered + 1) if n not in received}
    assert missing <= {n for run in lost for n in range(run.first, run.last + 1)}
    assert lost[-1] == Run(195, 197)
