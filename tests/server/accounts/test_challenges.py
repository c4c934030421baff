"""Challenges: good once, for one device, for a minute, and at no cost to the server."""

import pytest

from whisp.server.accounts import challenges
from whisp.server.accounts.challenges import CHALLENGE_SECONDS, Challenges
from whisp.server.errors import UnauthorizedError, UnavailableError
from whisp.wire.ids import DeviceId

ODILE, SEFA = DeviceId(b"o" * 16), DeviceId(b"s" * 16)


class Clock:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = 1_000_000.5

    def __call__(self) -> float:
        return self.now


def test_a_challenge_is_good_once() -> None:
    clock = Clock()
    book = Challenges(clock)
    challenge, expires = book.issue(ODILE)
    assert expires == int(clock.now) + CHALLENGE_SECONDS
    book.check(ODILE, challenge)
    book.check(ODILE, challenge)
    book.spend(ODILE, challenge)
    for use in (book.check, book.spend):
        with pytest.raises(UnauthorizedError):
            use(ODILE, challenge)


def test_a_challenge_is_for_one_device_and_one_server() -> None:
    clock = Clock()
    book = Challenges(clock)
    challenge, _ = book.issue(ODILE)
    for barred, device in ((book, SEFA), (Challenges(clock), ODILE)):
        with pytest.raises(UnauthorizedError):
            barred.check(device, challenge)


def test_a_challenge_expires_and_a_longer_life_cannot_be_written_into_it() -> None:
    clock = Clock()
    book = Challenges(clock)
    challenge, expires = book.issue(ODILE)
    clock.now = expires - 0.1
    book.check(ODILE, challenge)
    clock.now = expires
    longer = challenge[:16] + (expires + 60).to_bytes(8, "big") + challenge[24:]
    for dead in (challenge, longer):
        with pytest.raises(UnauthorizedError):
            book.check(ODILE, dead)


@pytest.mark.parametrize("malformed", [b"", b"x", bytes(55), bytes(57), bytes(56)])
def test_anything_else_is_refused(malformed: bytes) -> None:
    with pytest.raises(UnauthorizedError):
        Challenges(Clock()).check(ODILE, malformed)


def test_what_was_answered_is_forgotten_when_it_can_no_longer_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenges, "MAX_ANSWERED", 3)
    clock = Clock()
    book = Challenges(clock)
    for _ in range(3):
        book.spend(ODILE, book.issue(ODILE)[0])
    with pytest.raises(UnavailableError):
        book.spend(ODILE, book.issue(ODILE)[0])
    clock.now += CHALLENGE_SECONDS + 2
    book.spend(ODILE, book.issue(ODILE)[0])
