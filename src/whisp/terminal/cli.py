"""The command line of `whisp`: names, options and help. The work is in `commands`, imported when run."""

import signal
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError

from whisp.terminal.exits import Exit, UsageError, explain

if TYPE_CHECKING:
    from whisp.terminal.commands.session import Session
    from whisp.terminal.opening import Opener

__all__ = ["build", "run"]

_COMMON = Group("Common options", sort_key=99)
_RING_SECONDS = Parameter(help="How long to ring.")

_EPILOGUE = (
    "Exit codes: 0 done, 1 failed, 2 usage or no account yet, 3 not found or offline, 4 declined, busy or "
    "no answer, 5 key changed, 6 vault, 7 server unreachable, 130 interrupted."
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options every command understands, before or after its name."""

    server: Annotated[
        str | None, Parameter(group=_COMMON, help="The server’s address. Remembered per profile.")
    ] = None
    profile: Annotated[Path | None, Parameter(group=_COMMON, help="The folder that holds this account.")] = (
        None
    )
    passphrase_file: Annotated[
        Path | None, Parameter(group=_COMMON, help="Read the vault’s passphrase from this file.")
    ] = None
    json: Annotated[bool, Parameter(group=_COMMON, negative="", help="One JSON object per line.")] = False
    direct: Annotated[
        bool,
        Parameter(
            group=_COMMON, negative="", help="Allow direct lines; the other side then sees your address."
        ),
    ] = False
    debug: Annotated[bool, Parameter(group=_COMMON, negative="", help="Show where a fault came from.")] = (
        False
    )


_NO_VALUE = frozenset({"--json", "--direct", "--debug"})
_WITH_VALUE = frozenset({"--server", "--profile", "--passphrase-file"})


def arrange(tokens: Sequence[str]) -> list[str]:
    """Move common options that stand before the command behind it, where the parser wants them."""
    leading: list[str] = []
    rest = list(tokens)
    while rest and (rest[0] in _NO_VALUE or rest[0].partition("=")[0] in _WITH_VALUE):
        leading.append(rest.pop(0))
        if leading[-1] in _WITH_VALUE and rest:
            leading.append(rest.pop(0))
    if not rest or rest[0].startswith("-"):
        return leading + rest
    return [rest[0], *leading, *rest[1:]]


def run(tokens: Sequence[str], opener: "Opener | None" = None) -> int:
    """Run one command line; return its exit code. Errors become one sentence on stderr, never a traceback."""
    as_json, debug = "--json" in tokens, "--debug" in tokens
    try:
        code = build(opener)(arrange(tokens), exit_on_error=False, print_error=False)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else Exit.FAILURE
    except CycloptsError as error:
        code = _fail(UsageError(_usage_sentence(error)), as_json)
    except KeyboardInterrupt:
        code = _fail(KeyboardInterrupt(), as_json)
    except BrokenPipeError:
        code = Exit.FAILURE  # whoever read us has gone; there is nobody to tell
    except Exception as error:  # noqa: BLE001 - the outermost place: everything becomes a sentence
        if debug:
            from whisp.terminal.faults import show

            show(error)
        code = _fail(error, as_json)
    return code if isinstance(code, int) else Exit.OK


def _usage_sentence(error: CycloptsError) -> str:
    sentence = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        sentence = f"There is no command or argument {error.unused_tokens[0]}"
    return f"{sentence or 'That command line cannot be understood'}. Try whisp --help."


def build(opener: "Opener | None" = None) -> App:
    """Return the command line; `opener` replaces how accounts are opened, for tests."""
    app = App(
        name="whisp",
        help="A phone call, but for chat. Without a command the full-screen app opens.",
        help_format="plaintext",
        help_formatter="plain",
        help_epilogue=_EPILOGUE,
        version_flags=["--version"],
        version=_version,
        default_parameter=Parameter(negative_bool=(), negative_iterable=(), show_default=False),
        result_action="return_value",
    )
    _add_calls(app, opener)
    _add_people(app, opener)
    _add_account(app, opener)
    _add_host(app)

    @app.default
    def full_screen(
        *,
        light: Annotated[bool, Parameter(help="Light theme. Or set WHISP_THEME.")] = False,
        lock_after: Annotated[
            float, Parameter(help="Minutes without a key until it locks; 0 is never.")
        ] = 15,
        common: Common | None = None,
    ) -> int:
        """Open the full-screen app."""
        from whisp.terminal.commands.full_screen import run_app

        return run_app(_session(common, opener), light=light, lock_after=lock_after * 60)

    return app


def _add_calls(app: App, opener: "Opener | None") -> None:
    calls = Group("Calls", sort_key=1)

    @app.command(group=calls)
    def chat(
        name: str,
        /,
        *,
        stay: Annotated[bool, Parameter(help="Do not hang up when the input ends.")] = False,
        timeout: Annotated[float, _RING_SECONDS] = 45.0,
        common: Common | None = None,
    ) -> int:
        """Ring someone and talk: each line of input is a message. Works in pipes."""
        from whisp.terminal.commands import chat

        return _finish(chat.run(_session(common, opener), name, stay=stay, ring_seconds=timeout))

    @app.command(group=calls)
    def listen(
        *,
        accept: Annotated[bool, Parameter(help="Accept whoever rings.")] = False,
        accept_from: Annotated[tuple[str, ...], Parameter(help="Accept this name, decline others.")] = (),
        once: Annotated[bool, Parameter(help="Stop after one conversation.")] = False,
        common: Common | None = None,
    ) -> int:
        """Wait for rings, and ask before each one is accepted."""
        from whisp.terminal.commands import listen

        session = _session(common, opener)
        return _finish(listen.run(session, accept_all=accept, accept_from=accept_from, once=once))

    @app.command(group=calls)
    def send(
        name: str,
        files: tuple[Path, ...],
        /,
        *,
        timeout: Annotated[float, _RING_SECONDS] = 45.0,
        common: Common | None = None,
    ) -> int:
        """Ring someone, send files, and hang up."""
        from whisp.terminal.commands import send

        if not files:
            raise UsageError("Name a file to send.")
        return _finish(send.run(_session(common, opener), name, files, ring_seconds=timeout))

    @app.command(group=calls)
    def receive(
        *,
        to: Annotated[Path, Parameter(help="The folder to save to.")],
        sender: Annotated[str | None, Parameter(name="--from", help="Take files of this name only.")] = None,
        common: Common | None = None,
    ) -> int:
        """Wait for a call that brings files, and save them."""
        from whisp.terminal.commands import receive

        return _finish(receive.run(_session(common, opener), to, sender=sender))


def _add_people(app: App, opener: "Opener | None") -> None:
    people = Group("People", sort_key=2)

    @app.command(group=people)
    def contacts(
        *,
        forget: Annotated[str | None, Parameter(help="Remove this name.")] = None,
        common: Common | None = None,
    ) -> int:
        """List whom you have talked to. Kept on this device only."""
        from whisp.terminal.commands import people

        session = _session(common, opener)
        return _finish(people.forget(session, forget) if forget else people.contacts(session))

    @app.command(group=people)
    def lookup(name: str, /, *, common: Common | None = None) -> int:
        """Ask whether an exact name is online."""
        from whisp.terminal.commands import people

        return _finish(people.lookup(_session(common, opener), name))

    @app.command(group=people)
    def safety(
        name: str,
        /,
        *,
        verify: Annotated[bool, Parameter(help="Note that you compared it and every digit matches.")] = False,
        qr: Annotated[bool, Parameter(negative="--no-qr", help="Show the QR code too.")] = True,
        accept_new_key: Annotated[
            bool, Parameter(help="Go on with a changed key, not compared yet.")
        ] = False,
        common: Common | None = None,
    ) -> int:
        """Show the safety number you share with someone."""
        from whisp.terminal.commands import people

        session = _session(common, opener)
        if accept_new_key:
            return _finish(people.accept_new_key(session, name))
        return _finish(people.safety(session, name, verify=verify, show_qr=qr))


def _add_account(app: App, opener: "Opener | None") -> None:
    own = Group("Your account", sort_key=3)

    @app.command(group=own)
    def register(
        name: str,
        /,
        *,
        keyring: Annotated[bool, Parameter(help="Seal with the system’s keyring, not a passphrase.")] = False,
        common: Common | None = None,
    ) -> int:
        """Make keys on this device and claim a name."""
        from whisp.terminal.commands import account

        return _finish(account.register(_session(common, opener), name, in_keyring=keyring))

    @app.command(group=own)
    def account(*, common: Common | None = None) -> int:
        """Show all that the server stores about you."""
        from whisp.terminal.commands import account

        return _finish(account.show(_session(common, opener)))

    @app.command(group=own)
    def delete_account(
        *,
        yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
        common: Common | None = None,
    ) -> int:
        """Erase your account for good. The name is not given to anyone else."""
        from whisp.terminal.commands import account

        return _finish(account.delete(_session(common, opener), confirmed=yes))


def _add_host(app: App) -> None:
    host = Group("Hosting", sort_key=4)

    @app.command(group=host)
    def serve(
        *,
        host: Annotated[str | None, Parameter(help="The address to listen on: 127.0.0.1.")] = None,
        port: Annotated[int | None, Parameter(help="The port to listen on: 8790.")] = None,
        data: Annotated[
            Literal["none"] | Path | None,
            Parameter(
                show_choices=False, metavar="PATH", help="The folder for database and keys, or none: ./data."
            ),
        ] = None,
    ) -> int:
        """Run a server."""
        from whisp.terminal.commands import hosting

        return hosting.serve(host, port, data)

    @app.command(group=host)
    def demo() -> int:
        """Run a server and two people talking, on this machine only."""
        from whisp.terminal.commands import hosting

        return hosting.demo()

    @app.command(group=host)
    def version() -> int:
        """Print the version."""
        print(f"whisp {_version()}")
        return Exit.OK

    @app.command(group=host)
    def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
        """Print a completion script for a shell: whisp completion bash > ~/.local/share/bash-completion/…"""
        print(app.generate_completion(prog_name="whisp", shell=shell))
        return Exit.OK


def _session(common: Common | None, opener: "Opener | None") -> "Session":
    import os
    from functools import partial

    from whisp.terminal.commands.session import Session
    from whisp.terminal.opening import open_account
    from whisp.terminal.output import Output
    from whisp.terminal.profile import Profile

    asked = common or Common()
    named = asked.profile or (Path(os.environ["WHISP_PROFILE"]) if os.environ.get("WHISP_PROFILE") else None)
    return Session(
        opener=opener or partial(open_account, allow_direct=asked.direct, auto_busy=True),
        profile=Profile.find(named),
        asked_server=asked.server or os.environ.get("WHISP_SERVER"),
        passphrase_file=asked.passphrase_file,
        output=Output(as_json=asked.json),
    )


def _finish(work: Coroutine[Any, Any, Exit]) -> int:
    """Run one command; an interrupt, a hang-up of the terminal or a termination ends it in order."""

    import asyncio

    from whisp.terminal.quiet import hush, hush_loop

    async def main() -> Exit:
        hush()
        hush_loop()
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _fail(error: BaseException, as_json: bool) -> int:
    from whisp.terminal.output import Output

    code, sentence = explain(error)
    Output(as_json=as_json).fail(sentence, code)
    return code


def _version() -> str:
    from importlib.metadata import version

    return version("whisp")
