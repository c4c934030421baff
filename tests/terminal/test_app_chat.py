"""The chat: what is said, how far it came, files, search, the line, and its end."""

from pathlib import Path

import pytest
from tests.terminal.fakes import START, FakeIncomingFile, cancelled
from tests.terminal.pictures import looks_like
from tests.terminal.stage import stage
from textual.events import Key

from whisp.client import events
from whisp.client.errors import EndReason, FileFault
from whisp.client.events import Line
from whisp.terminal import words
from whisp.terminal.screens.chat import ChatScreen

PDF = "inspection-notes.pdf"


async def test_f1_a_chat_from_banner_to_read(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.say("I have ten minutes before my shift.")
        await on.write("That is plenty. Nothing with your name on it, please.")
        await on.press("enter")
        await on.until(lambda: "14:00 ✓\n" in on.text())
        conversation.emit(events.Delivered(1, 1))
        await on.until(lambda: "✓✓" in on.text())
        assert "read" not in on.text()
        conversation.emit(events.Read(1, 1))
        await on.until(lambda: "✓✓ read" in on.text())
        conversation.emit(events.Typing(conversation.members[0], True))
        await on.until(lambda: "odile is typing" in on.text())
        await on.pass_time(2)
        looks_like("chat", on.text())
        await on.pass_time(5)
        assert "odile is typing" not in on.text()
        assert "read 1" in on.client.log


async def test_the_panel_opens_where_there_is_room(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(110, 30)) as on:
        await on.unlock()
        await on.call()
        await on.settle()
        looks_like("chat-wide", on.text())
        assert "Code of this call" in on.text()
    async with stage(tmp_path, size=(109, 30)) as on:
        await on.unlock()
        await on.call()
        await on.settle()
        assert "This call" not in on.text()


async def test_first_contact_is_reminded_until_compared(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call("sefa")
        assert "You have not compared safety numbers with sefa yet." in on.text()
        assert "sefa ✓" not in on.text()
        await on.press("ctrl+g")
        await on.until(lambda: "Is it really sefa?" in on.text())
        looks_like("safety", on.text())
        await on.press("tab", "tab", "enter")
        await on.until(lambda: "verified sefa True" in on.client.log)
        await on.until(lambda: "sefa ✓" in on.text())


async def test_d3_numbers_that_differ_are_not_compared(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(80, 30)) as on:
        await on.unlock()
        await on.call()
        await on.press("ctrl+g")
        await on.press("tab", "enter")
        await on.until(lambda: "verified odile False" in on.client.log)
        assert "Then someone may sit between you." in on.text()


async def test_the_qr_code_takes_the_place_of_the_digits(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(80, 45)) as on:
        await on.unlock()
        await on.call()
        await on.press("ctrl+g")
        await on.press("q")
        assert "▀▀▀▀" in on.text()
        assert "48213" not in on.text()
        await on.press("q")
        assert "48213    90566    17740    02958" in on.text()


async def test_the_line_tells_the_truth(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        assert "●──○──● Relayed. Neither of you can see the other’s address." in on.text()
        conversation.emit(events.LineChanged(Line.HELD, held_until=START + 20))
        await on.until(lambda: "Held" in on.text())
        assert "●- - - -● The line dropped. The call is held for 20 more seconds, in memory,\n" in on.text()
        assert "on both devices." in on.text()
        await on.write("still here")
        await on.press("enter")
        await on.until(lambda: "still here  14:00 ·" in on.text())
        await on.pass_time(5)
        assert "15 more seconds" in on.text()
        conversation.emit(events.LineChanged(Line.DIRECT))
        await on.until(lambda: "●─────● Direct. odile can see your address, and you theirs." in on.text())
        assert "still here  14:00 ✓" in on.text()


async def test_going_direct_is_asked_and_a_typed_letter_does_not_answer(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.ask_direct()
        await on.until(lambda: "odile asks for a direct line." in on.text())
        await on.pilot.press("a")
        await on.settle()
        assert "accept direct" not in on.client.log
        await on.press("escape")
        await on.until(lambda: "refuse direct" in on.client.log)
        conversation.ask_direct()
        await on.until(lambda: "odile asks for a direct line." in on.text())
        await on.press("a")
        await on.until(lambda: "accept direct" in on.client.log)
        await on.press("ctrl+l")
        await on.until(lambda: "ask direct" in on.client.log)


async def test_f2_a_file_is_saved_only_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "Downloads"
    folder.mkdir()
    async with stage(tmp_path / "profile") as on:
        await on.unlock()
        conversation = await on.call()
        file = FakeIncomingFile(on.client.log, PDF, 18_400_000)
        conversation.emit(events.FileOffered(file))
        await on.until(lambda: PDF in on.text())
        assert not any(entry.startswith("accept ins") for entry in on.client.log)
        await on.press("ctrl+s")
        assert f"Save {PDF} in" in on.text()
        assert str(folder)[:40] in on.text()
        await on.press("enter")
        await on.until(lambda: f"accept {PDF} to {folder}" in on.client.log)
        conversation.emit(events.FileProgress(file.id, 11_408_000, file.size))
        await on.until(lambda: "━━━━━━━━━━━━━━╺───────── 62 %" in on.text())
        conversation.emit(events.FileCompleted(file.id, Path("/d/inspection-notes (2).pdf")))
        await on.until(lambda: "✓ Saved as /d/inspection-notes (2).pdf" in on.text())


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.emit(events.FileOffered(FakeIncomingFile(on.client.log, PDF, 9)))
        await on.until(lambda: PDF in on.text())
        await on.press("ctrl+s")
        await on.write("/nowhere")
        await on.press("enter")
        assert "There is no such folder." in on.text()


async def test_walking_to_a_file_and_declining_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.emit(events.FileOffered(FakeIncomingFile(on.client.log, PDF, 9)))
        await on.until(lambda: PDF in on.text())
        await on.press("alt+up")
        assert f"› ↧ {PDF}" in on.text()
        await on.press("d")
        await on.until(lambda: f"decline {PDF}" in on.client.log)
        assert "You declined it." in on.text()
        await on.press("alt+down")
        await on.write("ok")
        assert "ok" in on.text()


async def test_cancelling_a_file_that_moves(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        file = FakeIncomingFile(on.client.log, PDF, 100)
        conversation.emit(events.FileOffered(file))
        conversation.emit(events.FileProgress(file.id, 1, 100))
        await on.until(lambda: "C cancel" in on.text())
        await on.press("alt+up", "c")
        await on.until(lambda: f"cancel {PDF}" in on.client.log)
        assert "You cancelled it. Nothing of it was kept." in on.text()
        conversation.emit(events.FileProgress(file.id, 50, 100))
        await on.settle()
        assert "You cancelled it." in on.text()


async def test_a_click_on_a_word_does_what_it_says(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.emit(events.FileOffered(FakeIncomingFile(on.client.log, PDF, 9)))
        await on.until(lambda: "D decline" in on.text())
        row = next(index for index, line in enumerate(on.lines()) if "D decline" in line)
        await on.pilot.click(offset=(on.lines()[row].index("D decline") + 2, row))
        await on.until(lambda: f"decline {PDF}" in on.client.log)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (FileFault.DAMAGED, "This file did not arrive whole. It was thrown away."),
        (FileFault.PEER_CANCELLED, "The other side cancelled the transfer."),
        (FileFault.DISK_FULL, "The disk is full. What had arrived was deleted."),
    ],
)
async def test_a_file_that_does_not_arrive_says_why(tmp_path: Path, fault: FileFault, sentence: str) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        file = FakeIncomingFile(on.client.log, PDF, 9)
        conversation.emit(events.FileOffered(file))
        conversation.emit(cancelled(file.id, fault))
        await on.until(lambda: sentence in on.text())


async def test_f2_sending_a_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"x" * 1200)
    async with stage(tmp_path / "profile") as on:
        await on.unlock()
        conversation = await on.call()
        await on.press("ctrl+o")
        await on.write(str(tmp_path / "other.txt"))
        await on.press("enter")
        assert "There is no such file." in on.text()
        await on.press("escape", "ctrl+o")
        await on.write(f"'{path}'")
        await on.press("enter")
        await on.until(lambda: "Waiting for odile" in on.text())
        assert conversation.file is not None
        conversation.emit(events.FileProgress(conversation.file.id, 600, 1200))
        await on.until(lambda: "50 %" in on.text())
        conversation.emit(events.FileCompleted(conversation.file.id, None))
        await on.until(lambda: "✓ odile has it" in on.text())


async def test_a_text_that_cannot_go_out_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.write("too long")
        await on.press("enter")
        await on.until(lambda: "not sent" in on.text())
        assert "That is longer than a message can be." in on.text()


async def test_what_never_arrived_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        await on.write("hello")
        await on.press("enter")
        await on.until(lambda: "14:00 ✓\n" in on.text())
        conversation.emit(events.Undelivered(1, 1))
        await on.until(lambda: "14:00 not sent" in on.text())
        assert "1 message did not reach odile. Say it again." in on.text()


async def test_a_gap_is_visible(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.emit(events.Gap(2))
        await on.until(lambda: "2 messages were lost here." in on.text())


async def test_typing_is_told_once_and_ended(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.write("a")
        await on.write("b")
        assert on.client.log.count("typing True") == 1
        await on.pass_time(5)
        assert on.client.log.count("typing False") == 1
        await on.write("c")
        assert on.client.log.count("typing True") == 2
        await on.press("backspace", "backspace", "backspace")
        assert on.client.log.count("typing False") == 2


async def test_f11_finding_in_memory(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        for number in range(1, 60):
            conversation.say(f"line {number}", number=number)
        conversation.say("the pipe", number=60)
        await on.until(lambda: "the pipe" in on.text())
        assert "line 7 " not in on.text()
        await on.press("ctrl+f")
        await on.write("line 7")
        assert "1 of 1" in on.text()
        assert "line 7 " in on.text()
        await on.press("escape")
        await on.press("ctrl+f")
        await on.write("zebra")
        assert "Nothing found" in on.text()
        await on.press("escape")
        assert "panic" not in on.client.log


async def test_it_follows_the_newest_unless_one_scrolled_away(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        for number in range(1, 60):
            conversation.say(f"line {number}", number=number)
        await on.until(lambda: "line 59" in on.text())
        view = on.app.screen.query_one("TranscriptView")
        view.scroll_to(y=0, animate=False, immediate=True)
        conversation.say("news", number=60)
        await on.settle()
        assert "news" not in on.text()
        assert "Nothing here is kept." in on.text()


async def test_keys_act_in_the_order_they_were_pressed(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        for key in ("h", "i", "enter", "t", "o", "backspace", "h", "e", "r", "e", "enter", "x"):
            character = key if len(key) == 1 else None
            on.app.post_message(Key(key, character))
        await on.until(lambda: "send there" in on.client.log)
        assert [entry for entry in on.client.log if entry.startswith("send")] == ["send hi", "send there"]
        assert "› x" in on.text()


async def test_another_call_waits_until_this_one_is_over(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.press("ctrl+k")
        assert "You are in a call with odile. Hang up first." in on.text()
        await on.press("ctrl+c")
        assert "Ctrl+X hangs up. Ctrl+Q leaves Whisp." in on.text()


async def test_the_keys_are_told(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(80, 30)) as on:
        await on.unlock()
        await on.call()
        await on.press("f1")
        looks_like("help", on.text())


async def test_hanging_up_works_under_any_layer(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.press("ctrl+o", "ctrl+x")
        await on.until(lambda: words.GONE in on.text())


async def test_hanging_up_leaves_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.say("canary")
        await on.write("mine")
        await on.press("enter")
        await on.pass_time(760)
        await on.press("ctrl+x")
        await on.until(lambda: words.GONE in on.text())
        looks_like("gone", on.text())
        assert "canary" not in on.text()
        await on.press("enter")
        assert "Who would you like to call?" in on.text()


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (EndReason.PEER_HUNG_UP, "Says it has wiped too"),
        (EndReason.PEER_LOCKED, "Locked, and says it has wiped too"),
        (EndReason.LOST, "odile’s device did not answer. It wipes by itself within 60"),
    ],
)
async def test_what_the_peer_says_about_its_wipe(tmp_path: Path, reason: EndReason, sentence: str) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.emit(events.Ended(reason, 0))
        await on.until(lambda: words.GONE in on.text())
        assert sentence in on.text()


@pytest.mark.parametrize(
    "reason",
    [EndReason.TAMPERED, EndReason.FORKED, EndReason.REVOKED, EndReason.PROTOCOL, EndReason.STALLED],
)
async def test_a_broken_promise_is_told_as_one(tmp_path: Path, reason: EndReason) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.say("canary")
        conversation.emit(events.Ended(reason, 0))
        await on.until(lambda: words.STOPPED in on.text())
        assert words.GONE not in on.text()
        assert "canary" not in on.text()
        await on.press("escape")
        assert "Who would you like to call?" in on.text()


async def test_calling_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        on.client.outcome = None
        conversation.emit(events.Ended(EndReason.PEER_HUNG_UP, 0))
        await on.until(lambda: words.GONE in on.text())
        await on.press("shift+tab", "enter")
        await on.until(lambda: "Ringing odile…" in on.text())


async def test_s29_the_screens_forget_with_the_call(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        conversation.say("canary")
        await on.until(lambda: "canary" in on.text())
        chat = on.app.screen
        await on.press("ctrl+x")
        await on.until(lambda: words.GONE in on.text())
        assert isinstance(chat, ChatScreen)
        assert len(chat.transcript) == 0


async def test_what_arrives_while_one_looks_away_is_read_later(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        on.app.app_focus = False
        conversation.say("are you there", number=4)
        await on.until(lambda: "are you there" in on.text())
        assert "read 4" not in on.client.log
        on.app.app_focus = True
        on.app.on_app_focus()
        await on.until(lambda: "read 4" in on.client.log)


async def test_leaving_hangs_up_and_forgets(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.press("ctrl+q")
        await on.until(lambda: "close" in on.client.log)
        assert on.app.has_talked


async def test_up_in_an_empty_field_edits_the_last_own_message(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        await on.call()
        await on.press("up")  # nothing to edit yet
        await on.write("the led door")
        await on.press("enter")
        await on.until(lambda: "14:00 ✓" in on.text())
        await on.press("up")
        assert "leave it as it is" in on.text()
        await on.press("escape")
        assert "leave it as it is" not in on.text()
        await on.press("up", "escape")  # no panic: each Escape closed something
        await on.settle()
        assert "the led door" in on.text()
        await on.press("up")
        for _ in "led door":
            await on.press("backspace")
        await on.write("red door")
        await on.press("enter")
        await on.until(lambda: "edit 1 the red door" in on.client.log)
        assert "the red door  edited 14:00" in on.text()
        assert "led" not in on.text()


async def test_s31_what_the_peer_edits_and_reacts_to_is_seen_and_does_not_act(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        peer = conversation.members[0]
        await on.write("which door")
        await on.press("enter")
        await on.until(lambda: "14:00 ✓" in on.text())
        conversation.say("the led one")
        conversation.emit(events.TextEdited(1, peer, "the red one\x1b[2J", START))
        conversation.emit(events.Reacted(events.Quote(True, 1), peer, "+1"))
        await on.until(lambda: "+1 odile" in on.text())
        assert "the red one␛[2J  edited 14:00" in on.text()
        conversation.emit(events.TextDeleted(1, peer))
        conversation.emit(events.Reacted(events.Quote(True, 1), peer, ""))
        conversation.emit(events.TextEdited(1, peer, "it is back", START))
        await on.until(lambda: "deleted  14:00" in on.text())
        assert "the red one" not in on.text()
        assert "it is back" not in on.text()
        assert "+1" not in on.text()


async def test_delete_on_an_own_message_deletes_it_for_both(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.unlock()
        conversation = await on.call()
        await on.write("a slip")
        await on.press("enter")
        await on.until(lambda: "14:00 ✓" in on.text())
        conversation.say("theirs stays")
        await on.until(lambda: "theirs stays" in on.text())
        await on.press("alt+up", "delete")
        await on.press("alt+up", "delete")
        await on.until(lambda: "delete 1" in on.client.log)
        assert "a slip" not in on.text()
        assert "theirs stays" in on.text()
