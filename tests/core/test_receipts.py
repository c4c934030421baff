"""Receipts are few, cumulative, and never say more than is true."""

from hypothesis import given
from hypothesis import strategies as st
from tests.core.sessions import BOB

from whisp.core.content import Receipt, ReceiptKind, Run
from whisp.core.events import Delivered, Read, Undelivered
from whisp.core.receipts import RECEIPT_COUNT, RECEIPT_SECONDS, ConfirmedReceipts, OwedReceipts

DELIVERED, READ = ReceiptKind.DELIVERED, ReceiptKind.READ


def runs_of(numbers: set[int]) -> tuple[Run, ...]:
    """Return ascending runs that cover exactly these numbers."""
    runs: list[Run] = []
    for number in sorted(numbers):
        if runs and runs[-1].last == number - 1:
            runs[-1] = Run(runs[-1].first, number)
        else:
            runs.append(Run(number, number))
    return tuple(runs)


@given(
    st.sets(st.integers(1, 40), max_size=12),
    st.lists(st.tuples(st.sampled_from(ReceiptKind), st.integers(1, 40)), max_size=12),
)
def test_s08_each_number_is_told_once_and_lost_ones_never_as_delivered(
    lost: set[int], said: list[tuple[ReceiptKind, int]]
) -> None:
    confirmed = ConfirmedReceipts(BOB)
    told: dict[type, list[int]] = {Delivered: [], Undelivered: [], Read: []}
    for kind, up_to in said:
        for event in confirmed.receive(Receipt(kind, up_to, runs_of({n for n in lost if n <= up_to}))):
            assert isinstance(event, Delivered | Undelivered | Read)
            last = event.last if isinstance(event, Undelivered) else event.up_to
            assert event.first <= last
            told[type(event)] += range(event.first, last + 1)
    highest = max((up_to for _, up_to in said), default=0)
    read = max((up_to for kind, up_to in said if kind is READ), default=0)
    assert told[Delivered] == [n for n in range(1, highest + 1) if n not in lost]
    assert told[Undelivered] == [n for n in range(1, highest + 1) if n in lost]
    assert told[Read] == [n for n in range(1, read + 1) if n not in lost]


def test_a_receipt_waits_a_moment_unless_there_is_much_to_say() -> None:
    owed = OwedReceipts()
    owed.deliver(1, 10.0)
    assert owed.due_at == 10.0 + RECEIPT_SECONDS
    owed.deliver(2, 10.01)
    assert owed.due_at == 10.0 + RECEIPT_SECONDS
    owed.deliver(RECEIPT_COUNT, 10.02)
    assert owed.due_at == 10.02
    assert owed.take(RECEIPT_COUNT, ()) == [Receipt(DELIVERED, RECEIPT_COUNT)]
    assert owed.take(RECEIPT_COUNT, ()) == []


def test_a_read_receipt_stands_for_the_delivery_it_implies() -> None:
    owed = OwedReceipts()
    owed.deliver(5, 0.0)
    owed.read(5, 0.0)
    assert owed.take(5, (Run(2, 3),)) == [Receipt(READ, 5, (Run(2, 3),))]
    owed.read(4, 1.0)
    assert owed.due_at is None, "nothing new was read"


def test_a_read_receipt_names_only_the_lost_below_it() -> None:
    owed = OwedReceipts()
    owed.deliver(9, 0.0)
    owed.read(3, 0.0)
    lost = (Run(2, 2), Run(7, 8))
    assert owed.take(9, lost) == [Receipt(READ, 3, (Run(2, 2),)), Receipt(DELIVERED, 9, lost)]
    owed.repeat(1.0)
    assert len(owed.take(9, lost)) == 2


def test_nothing_is_owed_before_anything_came() -> None:
    owed = OwedReceipts()
    owed.repeat(0.0)
    assert owed.take(0, ()) == []
