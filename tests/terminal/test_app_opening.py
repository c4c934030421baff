"""First start, unlocking, locking: the app before and between accounts."""

from pathlib import Path

from tests.terminal.fakes import FakeClient, contact
from tests.terminal.pictures import looks_like
from tests.terminal.stage import Stage, stage
from textual.events import Key
from textual.widgets import Input

from whisp.client.errors import LockedError, ServerUnreachableError
from whisp.client.events import ClientLocked, ConnectionChanged, ConnectionState
from whisp.terminal import words
from whisp.terminal.glyphs import ASCII


async def _register(on: Stage, name: str, first: str, second: str) -> None:
    await on.write(name)
    await on.press("enter")
    await on.write(first)
    await on.press("enter")
    await on.write(second)
    await on.press("enter")


async def _replace(on: Stage, name: str) -> None:
    on.app.screen.query_one("#name", Input).value = name
    on.app.screen.query_one("#again", Input).focus()
    await on.press("enter")


async def test_the_first_start_asks_for_a_name_and_a_passphrase(tmp_path: Path) -> None:
    async with stage(tmp_path / "new", has_vault=False, client=FakeClient([], registered=False)) as on:
        await on.settle()
        looks_like("onboarding", on.text())
        await _register(on, "Mira", "open sesame", "open sesame")
        await on.until(lambda: "Who would you like to call?" in on.text())
        assert on.client.log == ["register mira", "login"]
        assert on.opener.log == ["create"]
        await on.settle()
        assert "Your keys are on this device." in on.text()
        assert (tmp_path / "new" / "server").read_text() == "http://127.0.0.1:8790\n"
        looks_like("first-contacts", on.text())


async def test_a_passphrase_file_opens_once_and_a_lock_asks_a_person(tmp_path: Path) -> None:
    async with stage(tmp_path, passphrase="open sesame") as on:
        await on.until(lambda: "Who would you like to call?" in on.text())
        await on.press("escape", "escape")
        await on.until(lambda: words.LOCKED in on.text())
        await on.settle()
        assert words.LOCKED in on.text()
    async with stage(tmp_path, passphrase="open barley") as on:
        await on.until(lambda: "That passphrase does not open the vault." in on.text())
        await on.unlock()


async def test_bad_names_and_passphrases_are_refused_in_place(tmp_path: Path) -> None:
    async with stage(tmp_path / "new", has_vault=False, client=FakeClient([], registered=False)) as on:
        await on.write("m!")
        await on.press("enter")
        assert words.NAME_RULE in on.text()
        on.app.screen.query_one("#name", Input).clear()
        await on.write("admin")
        await on.press("enter")
        assert words.NAME_TAKEN in on.text()
        on.app.screen.query_one("#name", Input).clear()
        await _register(on, "mira", "short", "short")
        assert "Use at least 8 characters." in on.text()
        await on.write(" but longer")
        await on.press("enter", "enter")
        assert "The two are not the same." in on.text()
        assert on.opener.log == []


async def test_s30_a_passphrase_typed_at_once_is_never_shown(tmp_path: Path) -> None:
    async with stage(tmp_path / "new", has_vault=False, client=FakeClient([], registered=False)) as on:
        await on.settle()
        for key in ("m", "i", "r", "a", "enter", *"sesame-open", "enter", *"sesame-open"):
            on.app.post_message(Key(key, key if len(key) == 1 else None))
        await on.settle()
        fields = [on.app.screen.query_one(place, Input).value for place in ("#name", "#passphrase", "#again")]
        assert fields == ["mira", "sesame-open", "sesame-open"]
        assert "sesame" not in on.text()


async def test_a_taken_name_can_be_changed(tmp_path: Path) -> None:
    async with stage(tmp_path / "new", has_vault=False, client=FakeClient([], registered=False)) as on:
        await _register(on, "taken", "open sesame", "open sesame")
        await on.until(lambda: words.NAME_TAKEN in on.text())
        assert on.client.log[-1] == "panic"
        assert not on.app.calls.profile.exists
        assert not on.app.screen.query_one("#make").disabled
        await _replace(on, "mira")
        await on.until(lambda: "Who would you like to call?" in on.text())
        assert on.opener.log == ["create", "create"]


async def test_unlocking(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.settle()
        looks_like("unlock", on.text())
        await on.write("wrong one")
        assert "wrong one" not in on.text()
        await on.press("enter")
        await on.until(lambda: "That passphrase does not open the vault." in on.text())
        await on.unlock()
        looks_like("contacts", on.text())


async def test_without_a_server_the_contacts_are_still_there(tmp_path: Path) -> None:
    client = FakeClient([], contact("odile", verified=True))
    client.login_error = ServerUnreachableError()
    async with stage(tmp_path, client=client, size=(110, 24)) as on:
        await on.unlock()
        await on.until(lambda: words.SERVER_DOWN in on.text())
        assert "odile ✓" in on.text()
        client.tell(ConnectionChanged(ConnectionState.ONLINE))
        await on.until(lambda: "mira can be rung now" in on.text())


async def test_f6_panic_wipes_at_once_and_locks(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.say("canary")
        await on.until(lambda: "canary" in on.text())
        await on.press("escape", "escape")
        assert on.client.log[-1] == "panic"
        assert "canary" not in on.text()
        looks_like("locked", on.text())
        assert on.app.screen.query_one("#passphrase").has_focus
        await on.unlock()
        assert not on.client.is_wiped


async def test_one_escape_or_two_slow_ones_are_not_panic(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.press("escape")
        await on.press("escape")
        on.keyboard.advance(0.61)
        await on.pilot.press("escape")
        assert "panic" not in on.client.log
        assert "Live" in on.text()
        on.keyboard.advance(0.59)
        await on.pilot.press("escape")
        assert "panic" in on.client.log


async def test_an_escape_that_closes_something_does_not_count(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.press("f1")
        await on.press("escape", "escape")
        assert "panic" not in on.client.log


async def test_f6_it_locks_when_nobody_touches_a_key(tmp_path: Path) -> None:
    async with stage(tmp_path, lock_after=300) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.say("canary")
        await on.settle()
        await on.pass_time(299)
        assert "canary" in on.text()
        await on.press("shift")
        await on.pass_time(299)
        assert "canary" in on.text()
        await on.pass_time(2)
        await on.until(lambda: "Locked." in on.text())
        assert "lock" in on.client.log
        assert "canary" not in on.text()


async def test_it_locks_when_the_client_does(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        on.client.tell(ClientLocked())
        await on.until(lambda: "Locked." in on.text())


async def test_a_key_needed_after_a_lock_is_a_sentence(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(100, 24)) as on:
        await on.unlock()
        on.client.is_wiped = True
        await on.press("down")
        await on.press("ctrl+g")
        await on.until(lambda: str(LockedError()) in on.text())


async def test_in_ascii_nothing_else_is_drawn(tmp_path: Path) -> None:
    async with stage(tmp_path, glyphs=ASCII, size=(120, 30)) as on:
        assert on.text().isascii()
        await on.unlock()
        assert on.text().isascii()
        conversation = await on.call()
        conversation.say("caf\u00e9 is hers to write")
        await on.write("fine")
        await on.press("enter")
        await on.settle()
        assert on.text().replace("\u00e9", "e").isascii()
        looks_like("chat-ascii", on.text())
