"""The command line: what goes to which stream, and which code it ends with."""

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.terminal.fakes import (
    DIGITS,
    START,
    FakeClient,
    FakeConversation,
    FakeIncomingFile,
    FakeOpener,
    contact,
)

from whisp.client import errors, events
from whisp.client.errors import EndReason
from whisp.terminal import cli, exits, opening, words
from whisp.terminal.cli import arrange, run
from whisp.terminal.exits import Exit, explain
from whisp.wire.errors import WhispError


class Line:
    """One command line after another, against a fake account."""

    def __init__(self, folder: Path, client: FakeClient) -> None:
        self.folder = folder
        self.client = client
        self.opener = FakeOpener(client)
        (folder / "pass").write_text("open sesame\n")
        (folder / "pass").chmod(0o600)
        (folder / "profile").mkdir()
        (folder / "profile" / "vault").write_bytes(b"sealed")

    def __call__(self, *tokens: str) -> int:
        common = ("--profile", str(self.folder / "profile"), "--passphrase-file", str(self.folder / "pass"))
        return run([tokens[0], *common, *tokens[1:]], self.opener)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A command line whose account knows odile and sefa, and whose input is empty."""
    monkeypatch.delenv("WHISP_PASSPHRASE_FILE", raising=False)
    monkeypatch.setattr("whisp.terminal.commands.session.needs_passphrase", lambda profile: True)
    client = FakeClient([], contact("odile", verified=True), contact("sefa", changed=True))
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield Line(tmp_path, client)


def feed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put text on standard input, as a pipe would."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    from whisp.terminal import stdin

    lines = stdin.read_lines

    monkeypatch.setattr("whisp.terminal.commands.chat.read_lines", lambda: lines(reading), raising=False)
    monkeypatch.setattr("whisp.terminal.commands.listen.read_lines", lambda: lines(reading), raising=False)


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(row) for row in text.splitlines()]


def test_common_options_may_stand_before_the_command() -> None:
    assert arrange(["--server", "x", "--json", "chat", "odile"]) == [
        "chat",
        "--server",
        "x",
        "--json",
        "odile",
    ]
    assert arrange(["--server=x", "chat"]) == ["chat", "--server=x"]
    assert arrange(["--json"]) == ["--json"]
    assert arrange(["chat", "odile", "--json"]) == ["chat", "odile", "--json"]
    assert arrange(["--json", "--help"]) == ["--json", "--help"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotFoundError(), 3),
        (errors.DeclinedError(), 4),
        (errors.BusyError(), 4),
        (errors.NoAnswerError(), 4),
        (errors.KeyChangedError("odile"), 5),
        (errors.RefusedIdentityError("x"), 5),
        (errors.RevokedError(), 5),
        (errors.WrongPassphraseError(), 6),
        (errors.DamagedVaultError(), 6),
        (errors.VaultInUseError(), 6),
        (errors.VaultExistsError(), 6),
        (errors.VaultMissingError(), 2),
        (errors.NotRegisteredError(), 2),
        (errors.ServerUnreachableError(), 7),
        (errors.UsernameTakenError(), 1),
        (errors.RateLimitedError(8), 1),
        (errors.VersionMismatchError(), 1),
        (WhispError("Anything else of ours."), 1),
        (exits.UsageError("Wrong."), 2),
        (KeyboardInterrupt(), 130),
        (ValueError("a secret"), 1),
        (FileNotFoundError(2, "No such file or directory", "/secret/path"), 1),
    ],
)
def test_every_error_is_one_sentence_with_its_code(error: BaseException, code: int) -> None:
    exit_code, sentence = explain(error)
    assert exit_code == code
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    assert "secret" not in sentence


def test_the_codes_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for code in Exit:
        assert f"{int(code)} " in shown
    for name in ("chat", "listen", "send", "receive", "contacts", "lookup", "safety", "register", "account",
                 "delete-account", "serve", "demo", "version", "completion"):  # fmt: skip
        assert f"{name}: " in shown


@pytest.mark.parametrize(
    "tokens",
    [["bogus"], ["chat"], ["chat", "a", "b"], ["chat", "a", "--what"], ["completion", "tcsh"], ["receive"],
     ["send", "odile"], ["listen", "--accept-from"], ["chat", "a", "--timeout", "soon"]],
)  # fmt: skip
def test_a_wrong_command_line_is_told_in_one_sentence(
    tokens: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tokens) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "delete-account" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith("whisp 0.")


def test_an_account_is_needed_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["contacts", "--profile", str(tmp_path / "none")]) == 2
    assert "Make one with whisp register NAME." in capsys.readouterr().err


def test_contacts(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line("contacts") == 0
    assert capsys.readouterr().out.splitlines() == [
        "odile                             compared, since 3 November",
        "sefa                              new key, compare first, since 3 November",
    ]
    assert line("contacts", "--json") == 0
    rows = records(capsys.readouterr().out)
    assert [(row["name"], row["verified"], row["new_key"]) for row in rows] == [
        ("odile", True, False),
        ("sefa", False, True),
    ]
    assert "login" not in line.client.log


def test_forgetting(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line("contacts", "--forget", "sefa") == 0
    assert "forget sefa" in line.client.log
    assert line("contacts", "--forget", "sefa") == 3


def test_lookup(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line("lookup", "odile") == 0
    assert capsys.readouterr().out == "odile is online.\n"
    assert line("lookup", "nobody") == 3
    assert capsys.readouterr().err == "User not found or offline.\n"


def test_d3_safety(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line("safety", "odile") == 0
    shown = capsys.readouterr()
    assert "48213   90566   17740   02958" in shown.out
    assert "▀▀▀" in shown.out
    assert shown.err == "Compared with odile.\n"
    assert line("safety", "odile", "--no-qr", "--verify") == 0
    assert "▀" not in capsys.readouterr().out
    assert "verified odile True" in line.client.log
    assert line("safety", "odile", "--json") == 0
    assert records(capsys.readouterr().out)[0]["digits"] == DIGITS
    assert line("safety", "stranger") == 2
    assert line("safety", "sefa", "--accept-new-key") == 0
    assert "new key sefa" in line.client.log


class Talk(FakeConversation):
    """A peer who gets every line, says so, and says what was heard."""

    async def send_text(self, text: str, **options: object) -> events.SentMessage:
        sent = await super().send_text(text)
        self.say(f"heard {text}", number=sent.id)
        self.emit(events.Delivered(sent.id, sent.id))
        return sent


def test_f1_chat_sends_lines_and_prints_messages(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, "first\n\nsecond\r\nthird")

    async def call(username: str, *, timeout: float = 0) -> FakeConversation:
        return Talk(line.client.log, "odile")

    monkeypatch.setattr(line.client, "call", call)
    assert line("chat", "odile") == 0
    shown = capsys.readouterr()
    assert [entry for entry in line.client.log if entry.startswith("send")] == [
        "send first",
        "send second",
        "send third",
    ]
    assert shown.out.splitlines() == ["odile: heard first", "odile: heard second", "odile: heard third"]
    assert shown.err.splitlines() == [
        "Ringing odile… Nothing is sent until they accept.",
        "Relayed. Neither of you can see the other’s address.",
        words.BANNER,
        "Everything is gone.",
    ]


def test_chat_in_json(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, "hi\n")

    async def call(username: str, *, timeout: float = 0) -> FakeConversation:
        talk = Talk(line.client.log, "odile")
        talk.say("\x1b[2J\x7f\u009b")
        return talk

    monkeypatch.setattr(line.client, "call", call)
    assert line("chat", "odile", "--json") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.isascii()
    assert shown.out.replace("\n", "").isprintable()
    kinds = [row["event"] for row in records(shown.out)]
    assert kinds[:2] == ["ringing", "live"]
    assert kinds[-1] == "ended"
    assert {"text", "sent", "delivered"} <= set(kinds)
    text = next(row for row in records(shown.out) if row["event"] == "text")
    assert text["text"] == "\x1b[2J\x7f\u009b"


@pytest.mark.parametrize(
    ("reason", "code", "sentence"),
    [
        (EndReason.PEER_HUNG_UP, 0, "odile hung up, and says it has wiped too."),
        (EndReason.LOST, 1, "odile’s device did not answer. It wipes by itself within 60 seconds."),
        (EndReason.TAMPERED, 5, "This call was stopped."),
        (EndReason.PROTOCOL, 1, "This call was stopped."),
    ],
)
def test_how_a_chat_ends(
    line: Line,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reason: EndReason,
    code: int,
    sentence: str,
) -> None:
    async def call(username: str, *, timeout: float = 0) -> FakeConversation:
        talk = FakeConversation(line.client.log, "odile")
        talk.emit(events.Gap(2))
        talk.emit(events.Ended(reason, 0))
        return talk

    feed(monkeypatch, "")
    monkeypatch.setattr(line.client, "call", call)
    assert line("chat", "odile", "--stay") == code
    shown = capsys.readouterr().err
    assert sentence in shown
    assert "2 messages were lost here." in shown
    assert shown.endswith("Everything is gone.\n")


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (errors.NotFoundError(), 3, "User not found or offline."),
        (errors.DeclinedError(), 4, "The call was declined."),
        (
            errors.ServerUnreachableError(),
            7,
            words.SERVER_DOWN,
        ),
        (
            ZeroDivisionError("secret"),
            1,
            "Something went wrong inside Whisp.",
        ),
    ],
)
def test_a_ring_that_fails(
    line: Line, capsys: pytest.CaptureFixture[str], error: Exception, code: int, sentence: str
) -> None:
    line.client.outcome = error
    assert line("chat", "odile") == code
    shown = capsys.readouterr().err
    assert sentence in shown
    assert "secret" not in shown
    assert line("chat", "odile", "--json") == code
    last = records(capsys.readouterr().err)[-1]
    assert last["exit"] == code


def test_s30_debug_shows_where_but_no_value(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line.client.outcome = ZeroDivisionError("a canary in the message")
    assert line("chat", "odile", "--debug") == 1
    shown = capsys.readouterr().err
    assert "commands/chat.py" in shown
    assert "ZeroDivisionError" in shown
    assert "canary" not in shown


def _rings_once(
    line: Line, monkeypatch: pytest.MonkeyPatch, *callers: str, talk: Callable[[FakeConversation], None]
) -> None:
    login = line.client.login

    async def ring() -> None:
        await login()
        for caller in callers:
            talk(line.client.ring_from(caller).conversation)

    monkeypatch.setattr(line.client, "login", ring)


def test_listen_accepts_by_rule(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk(conversation: FakeConversation) -> None:
        conversation.say("hello")
        conversation.emit(events.Ended(EndReason.PEER_HUNG_UP, 0))

    feed(monkeypatch, "")
    _rings_once(line, monkeypatch, "stranger", "odile", talk=talk)
    assert line("listen", "--accept-from", "Odile", "--once") == 0
    assert [entry for entry in line.client.log if entry.endswith(("stranger", "odile"))] == [
        "decline stranger",
        "accept odile",
    ]
    assert capsys.readouterr().out == "odile: hello\n"


def test_listen_needs_someone_to_ask(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line("listen") == 2
    assert "--accept-from NAME" in capsys.readouterr().err


def test_listen_asks(line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return ""

    feed(monkeypatch, "no\nyes\n")
    monkeypatch.setattr(sys, "stdin", Terminal())
    _rings_once(
        line, monkeypatch, "odile", "sefa", talk=lambda c: c.emit(events.Ended(EndReason.PEER_HUNG_UP, 0))
    )
    assert line("listen", "--once") == 0
    assert "decline odile" in line.client.log
    assert "accept sefa" in line.client.log
    assert "odile is calling (safety number compared)" in capsys.readouterr().err


def test_f2_receive_saves_what_is_offered(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk(conversation: FakeConversation) -> None:
        whole = FakeIncomingFile(line.client.log, "a\x1b.pdf", 9, 1)
        torn = FakeIncomingFile(line.client.log, "b.pdf", 9, 2)
        conversation.emit(events.FileOffered(whole))
        conversation.emit(events.FileOffered(torn))
        conversation.emit(events.FileCompleted(whole.id, tmp_path / "a.pdf"))
        conversation.emit(events.FileCancelled(torn.id, errors.FileFault.DAMAGED))
        conversation.emit(events.Ended(EndReason.PEER_HUNG_UP, 0))

    _rings_once(line, monkeypatch, "odile", talk=talk)
    assert line("receive", "--from", "odile", "--to", str(tmp_path)) == 1
    shown = capsys.readouterr()
    assert f"Saved {tmp_path}/a.pdf" in shown.out
    assert "a␛.pdf, 9 bytes" in shown.err
    assert "b.pdf: The file arrived damaged and was deleted." in shown.err
    assert line("receive", "--from", "odile", "--to", str(tmp_path / "none")) == 2
    assert line("receive", "--to", str(tmp_path)) == 2


def test_send_names_what_it_cannot_send(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line("send", "odile", str(tmp_path / "none.pdf")) == 2
    assert capsys.readouterr().err == "There is no file none.pdf to send.\n"
    assert "call odile" not in line.client.log


def test_registering(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = FakeClient([], registered=False)
    opener = FakeOpener(client)
    secret = tmp_path / "pass"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    profile = tmp_path / "profile"
    common = ["--profile", str(profile), "--passphrase-file", str(secret), "--server", "http://127.0.0.1:9"]
    assert run(["register", "Bad!", *common], opener) == 2
    assert run(["register", "admin", *common], opener) == 2
    assert run(["register", "taken", *common], opener) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "That name is taken."
    assert not (profile / "vault").exists()
    assert run(["register", "mira", *common], opener) == 0
    assert "You are mira." in capsys.readouterr().out
    assert (profile / "server").read_text() == "http://127.0.0.1:9\n"
    assert stat.S_IMODE(profile.stat().st_mode) == 0o700


def test_deleting_is_confirmed(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line("delete-account") == 2
    assert "delete" not in line.client.log
    assert line("delete-account", "--yes") == 0
    assert capsys.readouterr().out == ("Your account is erased. The name mira is not given to anyone else.\n")
    assert not (line.folder / "profile" / "vault").exists()


def test_the_app_needs_a_terminal(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "The app needs a terminal." in capsys.readouterr().err


def test_the_opener_asked_for_is_the_real_one() -> None:
    session = cli._session(None, None)
    assert session.opener.func is opening.open_account  # type: ignore[attr-defined]  # a functools.partial


def test_the_clock_of_these_tests() -> None:
    assert START == 1_795_269_600.0
