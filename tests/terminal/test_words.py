"""The product's voice, word for word."""

import pytest
from tests.terminal.fakes import START

from whisp.client.errors import RingEnd
from whisp.client.events import Line
from whisp.terminal import words


def test_the_exact_words() -> None:
    assert words.NOT_FOUND == "User not found or offline."
    assert words.GONE == "Everything is gone."
    assert f"{words.GONE} {words.GONE_REST}" == (
        "Everything is gone. What was said now exists only in your memory."
    )
    assert words.BANNER == (
        "Nothing here is kept. It lives in memory on your two devices "
        "and vanishes when either of you hangs up."
    )
    assert words.ringing("odile") == "Ringing odile…"
    assert words.RING_SUB == "Nothing is sent until they accept."
    assert words.calling("odile") == "odile is calling"
    assert words.declined("odile") == "odile declined."
    assert words.busy("odile") == "odile is in another call."
    assert words.NO_ANSWER == "No answer."
    assert words.first_contact("odile") == "You have not compared safety numbers with odile yet."
    assert f"{words.LOCKED} {words.LOCKED_REST}" == "Locked. Nothing is open. Nothing is left to see."
    assert words.try_again(8.2) == "You can try again in 8 seconds."
    assert words.erased("mira") == "Your account is erased. The name mira is not given to anyone else."
    assert words.unheard("odile") == "odile’s device did not answer. It wipes by itself within 60 seconds."


def test_the_line_says_what_it_is() -> None:
    assert words.line_sentence(Line.RELAYED, "odile") == (
        "Relayed. Neither of you can see the other’s address."
    )
    assert words.line_sentence(Line.DIRECT, "odile") == "Direct. odile can see your address, and you theirs."
    assert words.line_sentence(Line.HELD, "odile", 20) == (
        "The line dropped. The call is held for 20 more seconds, in memory, on both devices."
    )
    assert words.held(1) == "The call is held for 1 more second, in memory, on both devices."


def test_a_changed_key_claims_a_comparison_only_if_there_was_one() -> None:
    august = START - 95 * 86_400
    assert words.key_changed("sefa", True, august, START) == (
        "sefa’s key is not the one you compared on 18 August. Nothing was sent."
    )
    assert "compared" not in words.key_changed("sefa", False, august, START)


@pytest.mark.parametrize(
    ("seconds", "digits", "spoken"),
    [
        (0, "0:00", "a moment"),
        (1, "0:01", "1 second"),
        (760, "12:40", "12 minutes and 40 seconds"),
        (3600, "1:00:00", "1 hour"),
        (3723, "1:02:03", "1 hour, 2 minutes and 3 seconds"),
        (-5, "0:00", "a moment"),
    ],
)
def test_durations(seconds: int, digits: str, spoken: str) -> None:
    assert words.clock(seconds) == digits
    assert words.during(seconds) == spoken


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (18_400_000, "18.4 MB"),
        (999_999, "1 MB"),
        (2**63, "9223372 TB"),
    ],
)
def test_sizes(octets: int, shown: str) -> None:
    assert words.size(octets) == shown


def test_days_name_the_year_only_when_it_is_another() -> None:
    assert words.on_day(START, START) == "21 November"
    assert words.on_day(START - 400 * 86_400, START) == "17 October 2025"
    assert words.at_time(START) == "14:00"


def test_every_end_of_a_ring_has_words() -> None:
    said = {end: words.ring_over(end, "odile") for end in RingEnd}
    assert said[RingEnd.ELSEWHERE] == "Answered on another device."
    assert said[RingEnd.CANCELLED] == "odile stopped ringing."
    assert all(said[end] for end in (RingEnd.TIMED_OUT, RingEnd.FAILED))
