"""The full-screen app: which screen is on top, and what each piece of news puts there."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, Final

from rich.console import RenderableType
from textual import events, on
from textual.app import App, ScreenStackError
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.screen import Screen

from whisp.client.errors import (
    BusyError,
    ClientError,
    DeclinedError,
    EndReason,
    KeyChangedError,
    NoAnswerError,
    NotFoundError,
)
from whisp.client.ring import Ring
from whisp.terminal import happenings as news
from whisp.terminal import words
from whisp.terminal.calls import Calls
from whisp.terminal.commands.line_chat import end_sentence
from whisp.terminal.driver import wipe_terminal
from whisp.terminal.exits import explain
from whisp.terminal.glyphs import Glyphs
from whisp.terminal.inert import inert_line
from whisp.terminal.opening import Opener, needs_passphrase
from whisp.terminal.passphrase import Passphrase
from whisp.terminal.profile import Profile
from whisp.terminal.screens.chat import ChatScreen
from whisp.terminal.screens.contacts import ContactsScreen
from whisp.terminal.screens.gone import GoneScreen
from whisp.terminal.screens.incoming import IncomingScreen
from whisp.terminal.screens.layers import Alert, Layer, Page
from whisp.terminal.screens.onboarding import OnboardingScreen
from whisp.terminal.screens.prompts import HelpScreen
from whisp.terminal.screens.ringing import RingingScreen
from whisp.terminal.screens.safety import SafetyScreen
from whisp.terminal.screens.stopped import KeyChangedScreen, StoppedScreen
from whisp.terminal.screens.unlock import UnlockScreen
from whisp.terminal.theme import DARK, LIGHT
from whisp.terminal.widgets.people_list import Presence
from whisp.terminal.wrap import forget_widths

__all__ = ["PANIC_SECONDS", "WhispApp"]

PANIC_SECONDS: Final = 0.6
"""Two Escapes within this, nothing open: panic."""

_ONLINE_SECONDS: Final = 120
_RECENT_SECONDS: Final = 900
_STOPPED: Final = frozenset(
    {EndReason.TAMPERED, EndReason.FORKED, EndReason.REVOKED, EndReason.PROTOCOL, EndReason.STALLED}
)


class WhispApp(App[int]):
    """Shows one account. All it knows of the network comes from `Calls`."""

    TITLE = "Whisp"
    CSS_PATH = "whisp.tcss"
    ENABLE_COMMAND_PALETTE = False  # it offers pictures of the screen
    ALLOW_SELECT = False  # a selection is copied to the clipboard
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", show=False, priority=True),
        Binding("f1", "help", show=False, priority=True),
        Binding("ctrl+k", "call", show=False, priority=True),
        Binding("ctrl+x", "hang_up", show=False, priority=True),
        Binding("ctrl+q", "quit", show=False, priority=True),
        Binding("ctrl+c", "leave_hint", show=False, priority=True),
    ]

    def __init__(
        self,
        profile: Profile,
        server: str,
        opener: Opener,
        glyphs: Glyphs,
        *,
        passphrase: Passphrase | None = None,
        is_light: bool = False,
        lock_after: float = 900.0,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        driver_class: type[Driver] | None = None,
    ) -> None:
        """Make the app.

        Args:
            passphrase: opens the account at the start; after a lock only a person does.
            lock_after: seconds without a key until it locks; 0 is never.
        """
        super().__init__(driver_class=driver_class)
        self.glyphs = glyphs
        self.now = now
        self.monotonic = monotonic
        self.calls = Calls(profile, server, opener, self.post_message, now)
        self.connection = ""
        self.fault: Exception | None = None
        self.goodbye: asyncio.Task[None] | None = None
        self.has_talked = False
        self._passphrase = passphrase
        self._is_light = is_light
        self._lock_after = lock_after
        self._last_escape = float("-inf")
        self._last_touch = 0.0
        self._met: dict[str, tuple[float, bool]] = {}
        self.register_theme(DARK)
        self.register_theme(LIGHT)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give the style sheet its colours before the theme is chosen."""
        return DARK.variables

    # Life

    def on_mount(self) -> None:
        """Choose the theme and the first screen, and start the clock."""
        self.theme = (LIGHT if self._is_light else DARK).name
        self._last_touch = self.monotonic()
        self.set_interval(1.0, self.tick)
        if not self.calls.profile.exists:
            self.push_screen(OnboardingScreen())
            return
        try:
            asks = needs_passphrase(self.calls.profile)
        except ClientError as error:
            self.push_screen(UnlockScreen(asks=True, after_lock=False))
            self.call_after_refresh(self._refuse, explain(error)[1])
            return
        self.push_screen(UnlockScreen(asks=asks, after_lock=False))
        passphrase, self._passphrase = self._passphrase, None
        if passphrase is not None or not asks:
            self.calls.open(passphrase if asks else None)

    async def on_unmount(self) -> None:
        """Hang up and go offline."""
        self._wipe_screens()
        await self.calls.close()

    def tick(self) -> None:
        """A second has passed: move clocks, and lock if nobody touched a key for long."""
        idle = self.monotonic() - self._last_touch
        if self._lock_after and idle >= self._lock_after and self.calls.is_open:
            self._last_touch = self.monotonic()
            self.calls.lock()
            return
        with suppress(NoMatches, ScreenStackError):  # what is being taken down has lost its parts already
            if isinstance(self.screen, Page | Layer):
                self.screen.tick()
            if isinstance(self.screen, Layer) and (chat := self._chat()) is not None:
                chat.tick()

    async def on_event(self, event: events.Event) -> None:
        """Note every key and click, then go on as the toolkit does."""
        if isinstance(event, events.Key | events.MouseDown | events.Paste):
            self._last_touch = self.monotonic()
        await super().on_event(event)

    def on_app_focus(self) -> None:
        """The person looks: what arrived meanwhile is read now."""
        if (chat := self._chat()) is not None:
            chat.mark_read()

    # Keys

    def action_escape(self) -> None:
        """Close the top layer; with nothing open, two within 0.6 s are panic."""
        screen = self.screen
        if isinstance(screen, Page | Layer) and screen.close_layer():
            self._last_escape = float("-inf")
            return
        now = self.monotonic()
        if now - self._last_escape <= PANIC_SECONDS:
            self._last_escape = float("-inf")
            self.panic_now()
        else:
            self._last_escape = now

    def action_close_top(self) -> None:
        """Close the layer on top."""
        if isinstance(self.screen, Layer):
            self.screen.close_layer()

    def action_help(self) -> None:
        """Show the keys."""
        if not isinstance(self.screen, HelpScreen | Alert | UnlockScreen | OnboardingScreen):
            self.push_screen(HelpScreen())

    def action_call(self) -> None:
        """Call someone: from the contacts, by name."""
        if isinstance(self.screen, ContactsScreen):
            self.screen.query_one("#find").focus()
        elif isinstance(self.screen, GoneScreen | StoppedScreen):
            self.go_home()
        elif (chat := self._chat()) is not None and self.screen is chat:
            chat.notice(f"You are in a call with {inert_line(chat.peer)}. Hang up first.")

    def action_hang_up(self) -> None:
        """Hang up, or stop ringing, whatever lies on top."""
        if isinstance(self.screen, RingingScreen):
            self.stop_ringing()
        else:
            self.calls.hang_up()

    def action_leave_hint(self) -> None:
        """Ctrl+C neither copies nor kills: say how to leave."""
        if (chat := self._chat()) is not None and self.screen is chat:
            chat.notice("Ctrl+X hangs up. Ctrl+Q leaves Whisp.")

    async def action_quit(self) -> None:
        """Leave: the call ends, and everything in memory goes with the process."""
        self._wipe_screens()
        await self.calls.close()
        self.exit(0)

    # What screens ask for

    def ring(self, name: str) -> None:
        """Ring someone by exact name."""
        contact = self.calls.contact(name.lower())
        if contact is not None and contact.changed_to is not None:
            self._show_key_changed(name)
            return
        if contact is None:
            known = f"You have not talked to {inert_line(name)} before."
        elif contact.verified:
            known = "You have compared safety numbers."
        else:
            known = words.first_contact(inert_line(name))
        self.push_screen(RingingScreen(name, known))
        self.calls.ring(name)

    def stop_ringing(self) -> None:
        """Stop ringing and go back."""
        self.calls.stop_ringing()
        self.go_home()

    def answer(self, ring: Ring) -> None:
        """Accept a ring."""
        self._meet(ring.caller, online=True)
        self.calls.accept(ring)
        self.go_home()

    def decline(self, ring: Ring) -> None:
        """Decline a ring."""
        self._meet(ring.caller, online=True)
        self.calls.decline(ring)
        self.go_home()

    def show_safety(self, name: str) -> None:
        """Show the number shared with a contact."""
        try:
            number = self.calls.safety_number(name)
        except ClientError as error:
            self._tell(explain(error)[1])
            return
        contact = self.calls.contact(name)
        self.push_screen(SafetyScreen(name, number, is_verified=contact is not None and contact.verified))

    def compare_new_key(self, name: str) -> None:
        """Show the number of a changed key. It is kept only if every digit matches."""
        try:
            number = self.calls.new_safety_number(name)
        except ClientError as error:
            self._tell(explain(error)[1])
            return
        self.go_home()
        self.push_screen(SafetyScreen(name, number, is_verified=False, is_new_key=True))

    def forget(self, name: str) -> None:
        """Remove a contact."""
        self.calls.forget(name)
        self.go_home()

    def go_home(self) -> None:
        """Close everything above the contacts."""
        while len(self.screen_stack) > 1 and not isinstance(self.screen, ContactsScreen):
            self.pop_screen()

    def presence(self, name: str) -> Presence:
        """Return what this run has learned about someone."""
        if (chat := self._chat()) is not None and chat.peer == name:
            return Presence.ONLINE
        if name not in self._met:
            return Presence.UNKNOWN
        at, online = self._met[name]
        age = self.now() - at
        if not online:
            return Presence.OUT if age < _RECENT_SECONDS else Presence.UNKNOWN
        if age < _ONLINE_SECONDS:
            return Presence.ONLINE
        return Presence.RECENTLY if age < _RECENT_SECONDS else Presence.UNKNOWN

    def panic_now(self) -> None:
        """Wipe keys, calls and screen, this instant, without asking or waiting."""
        if not self.calls.is_open:
            return
        self.calls.panic()
        self._show_locked()

    # What happened

    @on(news.Opened)
    def _opened(self, event: news.Opened) -> None:
        self._replace_all(ContactsScreen())
        if event.is_new:
            self._tell(words.ACCOUNT_EXPLAINED)

    @on(news.OpenFailed)
    def _open_failed(self, event: news.OpenFailed) -> None:
        self._refuse(explain(event.error)[1])

    @on(news.ConnectionNews)
    def _connection(self, event: news.ConnectionNews) -> None:
        self.connection = inert_line(event.sentence) or ("" if event.is_online else words.SERVER_DOWN)
        if isinstance(self.screen, ContactsScreen):
            self.screen.redraw()

    @on(news.RingArrived)
    def _ring_arrived(self, event: news.RingArrived) -> None:
        self._meet(event.ring.caller, online=True)
        self.bell()
        self.push_screen(IncomingScreen(event.ring))

    @on(news.RingOver)
    def _ring_over(self, event: news.RingOver) -> None:
        if isinstance(self.screen, IncomingScreen) and self.screen.ring is event.ring:
            self.go_home()
            caller = inert_line(event.ring.caller)
            self._tell(words.ring_over(event.end, caller))

    @on(news.CallFailed)
    def _call_failed(self, event: news.CallFailed) -> None:
        if isinstance(event.error, KeyChangedError):
            self.go_home()
            self._show_key_changed(event.name)
            return
        if isinstance(self.screen, RingingScreen):
            self.go_home()
        name = inert_line(event.name)
        self._meet(event.name, online=not isinstance(event.error, NotFoundError | NoAnswerError))
        match event.error:
            case NotFoundError():
                self._tell(words.NOT_FOUND, words.NOT_FOUND_EXPLAINED)
            case DeclinedError():
                self._tell(words.declined(name))
            case BusyError():
                self._tell(words.busy(name))
            case NoAnswerError():
                self._tell(words.NO_ANSWER)
            case _:
                self._tell(explain(event.error)[1], is_danger=True)

    @on(news.CallBegan)
    def _call_began(self, event: news.CallBegan) -> None:
        conversation = self.calls.conversation
        if conversation is None:
            return
        self.go_home()
        self.has_talked = True
        self._meet(event.name, online=True)
        self.push_screen(
            ChatScreen(
                event.name,
                self.calls.username,
                conversation.session_code,
                conversation.line,
                conversation.started_at,
            )
        )

    @on(news.CallNews)
    def _call_news(self, event: news.CallNews) -> None:
        if (chat := self._chat()) is not None:
            chat.hear(event.event)

    @on(news.Sent)
    def _sent(self, event: news.Sent) -> None:
        if (chat := self._chat()) is not None:
            chat.sent(event)

    @on(news.SendFailed)
    def _send_failed(self, event: news.SendFailed) -> None:
        if (chat := self._chat()) is not None:
            chat.send_failed(event)

    @on(news.FileNews)
    def _file_news(self, event: news.FileNews) -> None:
        if (chat := self._chat()) is not None:
            chat.file_news(event)

    @on(news.CallEnded)
    def _call_ended(self, event: news.CallEnded) -> None:
        chat = self._chat()
        if chat is None:
            return  # locked meanwhile
        summary = event.summary
        messages, saved = chat.transcript.messages, chat.transcript.saved
        self._wipe_screens()
        self.go_home()
        if summary.reason in _STOPPED:
            sentence = end_sentence(summary.reason, inert_line(summary.name)) or ""
            self.push_screen(StoppedScreen(sentence.removeprefix(words.STOPPED).strip()))
        else:
            self.push_screen(GoneScreen(summary, messages, saved))
        wipe_terminal(self)

    @on(news.Locked)
    def _locked(self) -> None:
        self.calls.panic()
        self._show_locked()

    @on(news.FaultFound)
    def _fault_found(self, event: news.FaultFound) -> None:
        self.report_fault(event.error)

    def report_fault(self, error: Exception) -> None:
        """End because of a bug: the process tells it in one sentence."""
        self._handle_exception(error)

    # Screens

    def _chat(self) -> ChatScreen | None:
        return next((screen for screen in self.screen_stack if isinstance(screen, ChatScreen)), None)

    def _tell(self, sentence: str, explained: str = "", *, is_danger: bool = False) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ContactsScreen):
                self.call_after_refresh(screen.tell, sentence, explained, is_danger=is_danger)

    def _refuse(self, sentence: str) -> None:
        if isinstance(self.screen, UnlockScreen | OnboardingScreen):
            self.screen.refuse(sentence)

    def _show_key_changed(self, name: str) -> None:
        contact = self.calls.contact(name.lower())
        shown = inert_line(name)
        if contact is None:
            sentence = f"{shown}’s key is not the one you know. Nothing was sent."
        else:
            sentence = words.key_changed(shown, contact.verified, contact.added, self.now())
        self.push_screen(KeyChangedScreen(name, sentence))

    def _show_locked(self) -> None:
        self._wipe_screens()
        try:
            asks = needs_passphrase(self.calls.profile)
        except ClientError:
            asks = True
        self._replace_all(UnlockScreen(asks=asks, after_lock=True))
        wipe_terminal(self)

    def _replace_all(self, screen: Screen[None]) -> None:
        while len(self.screen_stack) > 2:
            self.pop_screen()
        self.switch_screen(screen)

    def _wipe_screens(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ChatScreen):
                screen.wipe()
        forget_widths()

    def _meet(self, name: str, *, online: bool) -> None:
        if name:
            self._met[name.lower()] = (self.now(), online)

    # Everything of the toolkit that could carry words out

    def copy_to_clipboard(self, text: str) -> None:
        """Do nothing: no clipboard, where other programs read it."""

    @property
    def clipboard(self) -> str:
        """Nothing is kept for pasting."""
        return ""

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Do nothing: no pictures of a call."""

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str | None:
        """Do nothing, as `action_screenshot`."""
        return None

    def action_suspend_process(self) -> None:
        """Do nothing: the screen would stay behind."""

    def panic(self, *renderables: RenderableType) -> None:
        """Leave without a word: the toolkit's own word here is a traceback with the values of variables."""
        self._return_code = 1
        self._close_messages_no_wait()

    def _handle_exception(self, error: Exception) -> None:
        self._return_code = 1
        if self.fault is None:
            self.fault = error
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()
