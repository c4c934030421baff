"""An outbox keeps what may be asked for, gives it back unchanged, and refuses what it cannot keep."""

import pytest

from whisp.core.content import MAX_NUMBER, Resume
from whisp.core.outbox import (
    MAX_UNCONFIRMED,
    MAX_UNCONFIRMED_BYTES,
    NEW_PATH_SECONDS,
    PROBE_SECONDS,
    RESEND_SECONDS,
    Outbox,
    OutboxFullError,
)
from whisp.wire.errors import LocalProtocolError


def filled(count: int, size: int = 300) -> Outbox:
    """Return an outbox with so many unconfirmed frames, sent at time 0."""
    outbox = Outbox()
    for number in range(1, count + 1):
        assert outbox.next_number() == number
        outbox.keep(bytes([number]) * size, 0.0)
    return outbox


def test_it_gives_back_the_same_bytes_in_order() -> None:
    outbox = filled(5)
    frames = outbox.answer(Resume(False, 5, (2, 4)), 1.0)
    assert frames == (b"\x02" * 300, b"\x04" * 300)
    frames = outbox.answer(Resume(True, 3, (2,)), 2.0)
    assert frames == (b"\x02" * 300, b"\x04" * 300, b"\x05" * 300)


def test_what_was_confirmed_is_forgotten() -> None:
    outbox = filled(5)
    outbox.confirm(3, 1.0)
    assert outbox.unconfirmed == 2
    assert outbox.answer(Resume(False, 5, (1, 3, 4)), 1.0) == (b"\x04" * 300,)
    outbox.confirm(2, 1.0)
    assert outbox.unconfirmed == 2, "an older confirmation takes nothing"
    assert outbox.next_number() == 6


def test_s12_a_greedy_peer_pulls_a_frame_at_most_so_often() -> None:
    outbox = filled(1)
    hole = Resume(False, 1, (1,))
    assert outbox.answer(hole, RESEND_SECONDS / 2) == ()
    assert len(outbox.answer(hole, RESEND_SECONDS)) == 1
    assert outbox.answer(hole, 1.9 * RESEND_SECONDS) == ()
    new_path = Resume(True, 0)
    assert len(outbox.answer(new_path, 1.9 * RESEND_SECONDS)) == 1, "a new path comes first"
    assert outbox.answer(new_path, 2 * RESEND_SECONDS) == ()
    assert len(outbox.answer(new_path, 1.9 * RESEND_SECONDS + NEW_PATH_SECONDS)) == 1


def test_it_is_full_by_count_and_by_bytes() -> None:
    for outbox in (filled(MAX_UNCONFIRMED), filled(2, MAX_UNCONFIRMED_BYTES // 2)):
        assert outbox.is_full
        with pytest.raises(OutboxFullError):
            outbox.next_number()
        outbox.confirm(1, 1.0)
        assert outbox.next_number() == outbox.last_number + 1
        outbox.confirm(MAX_UNCONFIRMED, 1.0)
        assert outbox.unconfirmed == 0
        assert outbox.probe_at is None
    assert not filled(MAX_UNCONFIRMED - 1).is_full


def test_an_overdue_confirmation_is_asked_for_with_growing_patience() -> None:
    outbox = filled(2)
    waits = []
    now = 0.0
    for _ in range(5):
        assert outbox.probe_at is not None
        waits.append(outbox.probe_at - now)
        now = outbox.probe_at
        outbox.probed(now, 15.0)
    assert waits == [PROBE_SECONDS, 4.0, 8.0, 15.0, 15.0]
    outbox.confirm(1, now)
    assert outbox.probe_at == now + PROBE_SECONDS
    Outbox().probed(0.0, 15.0)


def test_numbers_never_wrap() -> None:
    outbox = Outbox()
    outbox.last_number = MAX_NUMBER
    with pytest.raises(LocalProtocolError, match="no content numbers left"):
        outbox.next_number()


def test_repr_shows_no_frame() -> None:
    outbox = filled(1)
    assert "\\x01" not in repr(list(outbox._sent.values()))
