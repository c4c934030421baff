"""Ringing and being rung."""

from pathlib import Path

import pytest
from tests.terminal.fakes import FakeClient, contact
from tests.terminal.pictures import looks_like
from tests.terminal.stage import stage

from whisp.client.errors import (
    BusyError,
    DeclinedError,
    KeyChangedError,
    NoAnswerError,
    NotFoundError,
    RateLimitedError,
    RefusedIdentityError,
    RingEnd,
)
from whisp.client.people import SafetyNumber
from whisp.terminal import words
from whisp.wire.ids import AccountId


async def test_typing_narrows_the_list_and_says_what_enter_does(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.write("se")
        assert "sefa" in on.text()
        assert "odile" not in on.text()
        assert "Enter rings se." in on.text()
        await on.press("escape")
        assert "odile" in on.text()


async def test_ringing_by_exact_name(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.write("odile")
        await on.press("enter")
        await on.pass_time(12)
        looks_like("ringing", on.text())
        assert on.client.log[-1] == "call odile"
        await on.press("ctrl+x")
        await on.until(lambda: "stop ringing" in on.client.log)
        assert "Who would you like to call?" in on.text()


async def test_ringing_from_the_list(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.press("down", "down", "enter")
        assert "Ringing sefa…" in on.text()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NotFoundError(), "User not found or offline."),
        (DeclinedError(), "odile declined."),
        (BusyError(), "odile is in another call."),
        (NoAnswerError(), "No answer."),
        (RateLimitedError(8), "You can try again in 8 seconds."),
        (RefusedIdentityError("a pre-key signature"), "An identity check failed: a pre-key signature."),
    ],
)
async def test_a_ring_that_fails_says_so_in_the_exact_words(
    tmp_path: Path, error: Exception, sentence: str
) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        on.client.outcome = error
        await on.write("odile")
        await on.press("enter")
        await on.until(lambda: sentence in on.text())
        assert "Who would you like to call?" in on.text()


async def test_not_found_is_explained(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        on.client.outcome = NotFoundError()
        await on.write("nobody")
        await on.press("enter")
        await on.until(lambda: words.NOT_FOUND in on.text())
        looks_like("not-found", on.text())


async def test_an_impossible_name_sounds_like_any_other(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        on.client.outcome = NotFoundError()
        await on.write("hello, you")
        await on.press("enter")
        await on.until(lambda: words.NOT_FOUND in on.text())


async def test_a_badge_tells_what_this_run_learned(tmp_path: Path) -> None:
    async with stage(tmp_path, lock_after=0) as on:
        await on.unlock()
        assert "○  odile" in on.text()
        on.client.outcome = DeclinedError()
        await on.write("odile")
        await on.press("enter")
        await on.until(lambda: "odile declined." in on.text())
        await on.press("escape")
        assert "●  odile" in on.text()
        await on.pass_time(130)
        assert "◐  odile" in on.text()
        await on.pass_time(900)
        assert "○  odile" in on.text()
        assert not any(entry.startswith("discover") for entry in on.client.log)


async def test_being_rung(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        on.client.ring_from("odile")
        await on.until(lambda: "odile is calling" in on.text())
        await on.pass_time(21)
        looks_like("incoming", on.text())
        await on.press("a")
        await on.until(lambda: "Live" in on.text())
        assert "accept odile" in on.client.log


async def test_declining(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        on.client.ring_from("stranger")
        await on.until(lambda: "You have not talked to stranger before." in on.text())
        await on.press("d")
        await on.until(lambda: "decline stranger" in on.client.log)
        assert "Who would you like to call?" in on.text()


async def test_letters_typed_into_a_ring_do_not_answer_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.write("od")
        on.client.ring_from("odile")
        await on.until(lambda: "odile is calling" in on.text())
        for letter in ("a", "d", "a", "enter", "space"):
            on.keyboard.advance(0.2)
            await on.pilot.press(letter)
        await on.settle()
        assert "odile is calling" in on.text()
        assert not any("odile" in entry for entry in on.client.log)
        await on.press("a")
        await on.until(lambda: "accept odile" in on.client.log)


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (RingEnd.ELSEWHERE, "Answered on another device."),
        (RingEnd.CANCELLED, "odile stopped ringing."),
        (RingEnd.TIMED_OUT, "odile rang, and gave up."),
    ],
)
async def test_a_ring_that_ends_by_itself(tmp_path: Path, end: RingEnd, sentence: str) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        ring = on.client.ring_from("odile")
        await on.until(lambda: "odile is calling" in on.text())
        ring.stop(end)
        await on.until(lambda: sentence in on.text())
        assert "Who would you like to call?" in on.text()


async def test_d3_a_changed_key_stops_the_call(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        on.client.outcome = KeyChangedError("odile")
        await on.write("odile")
        await on.press("enter")
        await on.until(lambda: words.STOPPED in on.text())
        said = " ".join(on.text().split())
        assert "odile’s key is not the one you compared on 3 November. Nothing was sent." in said
        looks_like("key-changed", on.text())


async def test_d3_a_changed_key_is_kept_only_once_every_digit_matches(tmp_path: Path) -> None:
    client = FakeClient([], contact("sefa", verified=True, changed=True))
    async with stage(tmp_path, client=client, size=(80, 30)) as on:
        await on.unlock()
        await on.press("down", "enter")
        await on.press("tab", "tab", "enter")
        await on.until(lambda: "Is it really sefa?" in on.text())
        assert SafetyNumber.between(client.account_id, AccountId(b"\1" * 32)).digits[:5] in on.text()
        await on.press("tab", "enter")
        assert "Then someone may sit between you." in on.text()
        assert "new key sefa" not in client.log
        await on.press("tab", "enter")
        await on.until(lambda: client.log[-2:] == ["new key sefa", "verified sefa True"])


async def test_d3_a_contact_with_a_new_key_is_not_rung(tmp_path: Path) -> None:
    client = FakeClient([], contact("sefa", verified=True, changed=True))
    async with stage(tmp_path, client=client) as on:
        await on.unlock()
        assert "⚠  sefa" in on.text()
        assert "New key. Compare first." in on.text()
        await on.press("down", "enter")
        await on.until(lambda: words.STOPPED in on.text())
        assert not any(entry.startswith("call") for entry in client.log)
        await on.press("escape")
        assert "Who would you like to call?" in on.text()


async def test_removing_whose_key_changed(tmp_path: Path) -> None:
    client = FakeClient([], contact("sefa", changed=True))
    async with stage(tmp_path, client=client) as on:
        await on.unlock()
        await on.press("down", "enter")
        await on.press("tab", "tab", "tab", "enter")
        await on.until(lambda: "forget sefa" in client.log)
        assert "Who would you like to call?" in on.text()
