"""The chat: who, the line, what is said, and where one writes."""

from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.css.query import NoMatches
from textual.widgets import Button, Input

from whisp.client import events
from whisp.client.errors import FileFault, FileTransferError
from whisp.client.events import Line
from whisp.terminal import words
from whisp.terminal.exits import explain
from whisp.terminal.happenings import FileNews, SendFailed, Sent
from whisp.terminal.inert import inert_line
from whisp.terminal.profile import download_folder
from whisp.terminal.screens.layers import Page
from whisp.terminal.screens.prompts import DirectScreen, PathScreen
from whisp.terminal.transcript import FileRow, FileState, Mark, Message, Notice, Tone, Transcript
from whisp.terminal.widgets.call_panel import CallPanel
from whisp.terminal.widgets.composer import Composer, Field
from whisp.terminal.widgets.header import CallHeader
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.line_picture import LinePicture
from whisp.terminal.widgets.say import Say, app_of
from whisp.terminal.widgets.transcript_view import TranscriptView

__all__ = ["PANEL_COLUMNS", "ChatScreen"]

PANEL_COLUMNS: Final = 110
"""From this width the call panel has room."""

_TYPING_SECONDS: Final = 6
"""A peer's typing is believed for this long without news."""

_OWN_TYPING_SECONDS: Final = 4
"""After this long without a key the peer is told that typing stopped."""

_KEYS: Final = (
    ("Enter", "send"),
    ("Esc Esc", "panic"),
    ("Ctrl+X", "hang up"),
    ("F1", "help"),
    ("Ctrl+O", "attach"),
    ("Ctrl+F", "find"),
    ("Ctrl+G", "safety number"),
    ("Ctrl+K", "call"),
)
_FILE_KEYS: Final = (("Ctrl+S", "save the file"), *_KEYS)
_EDIT_KEYS: Final = (("Enter", "change it"), ("Esc", "leave it as it is"))
_WALK_KEYS: Final = (
    ("Alt+↑ Alt+↓", "walk"),
    ("S", "save"),
    ("D", "decline"),
    ("C", "cancel"),
    ("Del", "delete for both"),
    ("Esc", "back"),
)


class ChatScreen(Page):
    """One conversation. It holds the transcript, and wipes it."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-narrow"),
        (PANEL_COLUMNS, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+f", "find", show=False, priority=True),
        Binding("ctrl+o", "attach", show=False, priority=True),
        Binding("ctrl+s", "save", show=False, priority=True),
        Binding("ctrl+g", "safety", show=False, priority=True),
        Binding("ctrl+l", "direct", show=False, priority=True),
    ]

    def __init__(self, name: str, own: str, session_code: str, line: Line, started_at: float) -> None:
        super().__init__()
        self.peer = name
        self._shown_name = inert_line(name)
        self._own = own
        self._code = session_code
        self._line = line
        self._held_until: float | None = None
        self._started_at = started_at
        self.transcript = Transcript()
        self._peer_types_until = 0.0
        self._own_typing_until = 0.0
        self._unread: int | None = None
        self._found: list[int] = []
        self._found_at = 0
        self._editing: int | None = None

    def compose(self) -> ComposeResult:
        """Lay out header, line, messages, composer, keys, and the panel where there is room."""
        verified = self._is_verified()
        yield CallHeader(self._shown_name, is_verified=verified)
        yield LinePicture(self._line, words.line_sentence(self._line, self._shown_name), id="line")
        with Horizontal(id="stage"):
            with Vertical(id="talk"):
                yield TranscriptView(self.transcript, self._shown_name)
                yield Say("", id="typing", classes="faint")
                with Horizontal(id="find-bar"):
                    yield Say("Find ", classes="faint")
                    yield Field("in this chat", id="find")
                    yield Say("", id="found", classes="faint")
                with Horizontal(id="composer-bar"):
                    yield Say("› ", id="prompt")
                    yield Composer(f"Message {self._shown_name}", id="composer")
            yield CallPanel(self._own, self._shown_name, self._code, self._line, is_verified=verified)
        yield Keys(_KEYS)

    def on_mount(self) -> None:
        """Begin with the banner, and the cursor in the composer."""
        self.transcript.add(Notice(words.BANNER))
        if not self._is_verified():
            self.transcript.add(Notice(words.first_contact(self._shown_name), Tone.CAUTION))
        self.query_one("#find-bar").display = False
        self.query_one("#typing").display = False
        self.query_one(Composer).focus()
        self._redraw()

    def on_screen_resume(self) -> None:
        """Come back from a layer: the safety number may be compared now."""
        self.tick()

    def tick(self) -> None:
        """Move clocks, and end what was only believed for a while."""
        now = app_of(self).now()
        if self._peer_types_until and now >= self._peer_types_until:
            self._show_typing(False)
        if self._own_typing_until and now >= self._own_typing_until:
            self._stop_typing()
        self._redraw()

    def wipe(self) -> None:
        """Let go of everything that was said."""
        self.transcript.wipe()
        self._found = []
        if self.is_mounted:
            for field in self.query(Field):
                field.value = ""
            self.query_one(TranscriptView).forget()

    def close_layer(self) -> bool:
        """Close the search, stop editing, or stop walking."""
        if self.query_one("#find-bar").display:
            self._close_find()
            return True
        if self._editing is not None:
            self._stop_editing()
            return True
        view = self.query_one(TranscriptView)
        if view.chosen is not None:
            view.leave()
            return True
        return False

    # News from the controller

    def hear(self, event: events.ConversationEvent) -> None:
        """Take in something that happened in the conversation."""
        transcript = self.transcript
        match event:
            case events.TextReceived():
                transcript.add(Message(is_own=False, text=event.text, at=event.at, number=event.id))
                self._show_typing(False)
                self._unread = event.id
                self.mark_read()
            case events.TextEdited(id=number, text=text):
                transcript.edit(transcript.text(number, is_own=False), text)
                self._show_typing(False)
            case events.TextDeleted(id=number):
                transcript.delete(transcript.text(number, is_own=False))
            case events.Reacted(to=to, symbol=symbol):
                transcript.react(transcript.text(to.id, is_own=to.is_own), symbol)
            case events.Delivered(id=last, first=first):
                transcript.advance(first, last, Mark.DELIVERED)
            case events.Read(id=last, first=first):
                transcript.advance(first, last, Mark.READ)
            case events.Undelivered(id=last, first=first):
                transcript.advance(first, last, Mark.NOT_SENT)
                lost = words.count(last - first + 1, "message")
                sentence = f"{lost} did not reach {self._shown_name}. Say it again."
                transcript.add(Notice(sentence, Tone.DANGER))
            case events.Typing(active=active):
                self._show_typing(active)
            case events.Gap(count=count):
                transcript.add(Notice(words.lost_messages(count), Tone.DANGER))
            case events.FileOffered(file=file):
                transcript.add(FileRow(False, file.id, file.name, file.size, app_of(self).now()))
            case events.FileProgress() | events.FileCompleted() | events.FileCancelled():
                self._hear_of_file(event)
            case events.LineChanged(line=line, held_until=held_until):
                self._line, self._held_until = line, held_until
                if line in (Line.RELAYED, Line.DIRECT):
                    transcript.sent()
            case events.DirectRequested():
                app_of(self).push_screen(DirectScreen(self.peer))
            case events.Ended():
                pass  # the app shows what comes after
        self._redraw()

    def sent(self, event: Sent) -> None:
        """Our text is encrypted and queued."""
        entry = self.transcript[event.place]
        if isinstance(entry, Message):
            entry.number = event.sent.id
            if not event.is_waiting and entry.mark is Mark.ON_ITS_WAY:
                entry.mark = Mark.SENT
            self.transcript.touch()
            self._redraw()

    def send_failed(self, event: SendFailed) -> None:
        """Our text did not go out."""
        entry = self.transcript[event.place]
        if isinstance(entry, Message):
            entry.mark = Mark.NOT_SENT
            self.transcript.add(Notice(explain(event.error)[1], Tone.DANGER))
            self._redraw()

    def file_news(self, event: FileNews) -> None:
        """An outgoing file is on offer, or something about a file could not be done."""
        row = self.transcript.file(event.file_id) if event.file_id else None
        if event.error is None:
            if row is None:
                self.transcript.add(FileRow(True, event.file_id, event.name, event.size, app_of(self).now()))
        elif row is not None:
            row.state, row.note = FileState.STOPPED, explain(event.error)[1]
            self.transcript.touch()
        else:
            sentence = f"{inert_line(event.name)}: {explain(event.error)[1]}"
            self.transcript.add(Notice(sentence, Tone.DANGER))
        self._redraw()

    def notice(self, sentence: str) -> None:
        """Say something of the product's own in the log."""
        self.transcript.add(Notice(sentence))
        self._redraw()

    def mark_read(self) -> None:
        """Tell the peer what was seen, if the person is here."""
        app = app_of(self)
        if self._unread is not None and app.app_focus and app.screen is self:
            app.calls.mark_read(self._unread)
            self._unread = None

    # What the person does

    @on(Composer.Sent)
    def send(self, event: Composer.Sent) -> None:
        """Show the text at once, on its way; or in place of the one that is edited."""
        event.stop()
        app = app_of(self)
        if self._editing is not None:
            self._change(self._editing, event.text)
            return
        place = len(self.transcript)
        self.transcript.add(Message(is_own=True, text=event.text, at=app.now()))
        self._own_typing_until = 0.0
        app.calls.send_text(place, event.text)
        self._redraw()
        self.query_one(TranscriptView).scroll_end(animate=False)

    @on(Composer.EditLast)
    def edit_last(self, event: Composer.EditLast) -> None:
        """Take the last own message back into the composer."""
        event.stop()
        place = self.transcript.last_own()
        if place is None or self._editing is not None:
            return
        entry = self.transcript[place]
        if isinstance(entry, Message):
            self._editing = place
            composer = self.query_one(Composer)
            composer.value = entry.text
            composer.cursor_position = len(entry.text)
            self.query_one("#prompt", Say).say("± ")
            self._redraw()

    @on(TranscriptView.Deleted)
    def delete(self, event: TranscriptView.Deleted) -> None:
        """Delete an own message here, and there."""
        event.stop()
        entry = self.transcript[event.place]
        if isinstance(entry, Message) and entry.number is not None:
            if self._editing == event.place:
                self._stop_editing()
            self.transcript.delete(entry)
            app_of(self).calls.delete_text(event.place, entry.number)
            self._redraw()

    @on(Input.Changed, "#composer")
    def typing(self, event: Input.Changed) -> None:
        """Tell the peer that someone types, or has stopped."""
        event.stop()
        if not event.value:
            self._stop_typing()
            return
        if not self._own_typing_until:
            app_of(self).calls.set_typing(True)
        self._own_typing_until = app_of(self).now() + _OWN_TYPING_SECONDS

    @on(Composer.Walk)
    def walk(self, event: Composer.Walk) -> None:
        """Leave the composer for the messages."""
        event.stop()
        view = self.query_one(TranscriptView)
        view.focus()
        view.action_walk(-1)
        self.query_one(Keys).show(_WALK_KEYS)

    @on(TranscriptView.Left)
    def back_to_composer(self, event: TranscriptView.Left) -> None:
        """Come back from walking."""
        event.stop()
        self.query_one(Composer).focus()
        self._redraw()

    @on(TranscriptView.Acted)
    def act_on_file(self, event: TranscriptView.Acted) -> None:
        """Save, decline or cancel a file."""
        event.stop()
        match event.action:
            case "save":
                self._ask_where(event.file_id)
            case "decline":
                app_of(self).calls.decline_file(event.file_id)
                self._stop_file(event.file_id, "You declined it.")
            case _:
                app_of(self).calls.cancel_file(event.file_id)
                self._stop_file(event.file_id, "You cancelled it. Nothing of it was kept.")

    def action_save(self) -> None:
        """Save the newest file on offer."""
        row = self.transcript.last_offer()
        if row is not None:
            self._ask_where(row.file_id)

    def action_attach(self) -> None:
        """Ask which file to send."""
        app = app_of(self)
        app.push_screen(
            PathScreen(
                f"Send a file to {self._shown_name}",
                "Enter offers it. Nothing moves until they say so.",
                value="",
                fits=lambda path: None if path.is_file() else "There is no such file.",
                take=app.calls.offer_file,
            )
        )

    def action_find(self) -> None:
        """Open the search."""
        self.query_one("#find-bar").display = True
        self.query_one("#find").focus()

    @on(Input.Changed, "#find")
    def search(self, event: Input.Changed) -> None:
        """Search in what is in memory."""
        event.stop()
        self._found = self.transcript.find(event.value)
        self._found_at = len(self._found) - 1
        self._show_found(event.value)

    @on(Input.Submitted, "#find")
    def search_on(self, event: Input.Submitted) -> None:
        """Go to the match before."""
        event.stop()
        if self._found:
            self._found_at = (self._found_at - 1) % len(self._found)
        self._show_found(event.value)

    def action_safety(self) -> None:
        """Show the safety number."""
        app_of(self).show_safety(self.peer)

    def action_direct(self) -> None:
        """Ask for a direct line."""
        if self._line is Line.RELAYED:
            self.transcript.add(
                Notice(f"Asking {self._shown_name} for a direct line. It shows them your address.")
            )
            app_of(self).calls.ask_direct()
            self._redraw()

    @on(Button.Pressed, "#hang-up")
    def hang_up(self) -> None:
        """Hang up: normal, and final."""
        app_of(self).calls.hang_up()

    # Drawing

    def _redraw(self) -> None:
        if self.is_mounted:
            with suppress(NoMatches):  # it is being taken down and has lost its parts already
                self._draw()

    def _draw(self) -> None:
        app = app_of(self)
        now = app.now()
        verified = self._is_verified()
        state = "Held" if self._line is Line.HELD else "Live"
        self.query_one(CallHeader).show(seconds=now - self._started_at, state=state, is_verified=verified)
        left = max(0, round(self._held_until - now)) if self._held_until is not None else 0
        self.query_one("#line", LinePicture).show(
            self._line, words.line_sentence(self._line, self._shown_name, left)
        )
        self.query_one(CallPanel).show(self._line, is_verified=verified)
        view = self.query_one(TranscriptView)
        view.redraw()
        if view.chosen is None:
            keys = _FILE_KEYS if self.transcript.last_offer() else _KEYS
            self.query_one(Keys).show(keys if self._editing is None else _EDIT_KEYS)

    def _show_typing(self, active: bool) -> None:
        now = app_of(self).now()
        self._peer_types_until = now + _TYPING_SECONDS if active else 0.0
        row = self.query_one("#typing", Say)
        row.say(f"{self._shown_name} is typing")
        row.display = active

    def _change(self, place: int, text: str) -> None:
        entry = self.transcript[place]
        if isinstance(entry, Message) and entry.number is not None and text != entry.text:
            self.transcript.edit(entry, text)
            app_of(self).calls.edit_text(place, entry.number, text)
        self._own_typing_until = 0.0
        self._stop_editing()

    def _stop_editing(self) -> None:
        self._editing = None
        self.query_one(Composer).value = ""
        self.query_one("#prompt", Say).say("› ")
        self._redraw()

    def _stop_typing(self) -> None:
        if self._own_typing_until:
            self._own_typing_until = 0.0
            app_of(self).calls.set_typing(False)

    def _show_found(self, query: str) -> None:
        view = self.query_one(TranscriptView)
        show = self._found[self._found_at] if self._found else None
        view.mark(frozenset(self._found), show)
        found = self.query_one("#found", Say)
        if self._found:
            found.say(f" {self._found_at + 1} of {len(self._found)}")
        else:
            found.say(" Nothing found" if query else "")

    def _close_find(self) -> None:
        field = self.query_one("#find", Field)
        field.value = ""
        self.query_one("#find-bar").display = False
        self.query_one(TranscriptView).mark(frozenset(), None)
        self.query_one(Composer).focus()

    def _hear_of_file(self, event: events.FileProgress | events.FileCompleted | events.FileCancelled) -> None:
        row = self.transcript.file(event.file_id)
        if row is None or row.state in (FileState.STOPPED, FileState.DONE):
            return
        match event:
            case events.FileProgress(done=done):
                row.state, row.moved = FileState.MOVING, done
            case events.FileCompleted(path=path):
                row.state, row.moved = FileState.DONE, row.size
                row.note = f"Saved as {path}" if path is not None else f"{self._shown_name} has it"
            case events.FileCancelled(reason=FileFault.DAMAGED):
                row.state, row.note = FileState.STOPPED, words.NOT_WHOLE
            case events.FileCancelled(reason=reason):
                row.state, row.note = FileState.STOPPED, str(FileTransferError(reason))
        self.transcript.touch()

    def _stop_file(self, file_id: bytes, note: str) -> None:
        row = self.transcript.file(file_id)
        if row is not None:
            row.state, row.note = FileState.STOPPED, note
            self.transcript.touch()
            self._redraw()

    def _ask_where(self, file_id: bytes) -> None:
        row = self.transcript.file(file_id)
        if row is None:
            return
        app = app_of(self)

        def take(folder: Path) -> None:
            app.calls.save_file(file_id, folder)

        app.push_screen(
            PathScreen(
                f"Save {inert_line(row.name, limit=48)} in",
                "Enter saves it there. It never replaces another file.",
                value=str(download_folder()),
                fits=lambda path: None if path.is_dir() else "There is no such folder.",
                take=take,
            )
        )

    def _is_verified(self) -> bool:
        contact = app_of(self).calls.contact(self.peer)
        return contact is not None and contact.verified
