"""What the documents say is true as far as a machine can tell: examples run, links lead somewhere."""

import ast
import os
import re
import signal
import stat
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmarks.__main__ import NAMES
from sqlalchemy import create_engine, inspect
from tests.test_house import ROOT, modules, tracked

from whisp.server import rates
from whisp.server.app import OPERATIONS
from whisp.server.config import Settings
from whisp.server.storage.migrate import migrate
from whisp.terminal.exits import Exit
from whisp.terminal.screens import prompts

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_ATTACK = re.compile(r"\bS-(\d\d)\b")
_TEST_NAME = re.compile(r"`(test_\w+)`")
_SOURCE = re.compile(r"`((?:src|spec|tests|docs|benchmarks|examples|requirements)/[\w./-]*)`")
_CONSTANT = re.compile(r"`([A-Z][A-Z_]+) = ([\d,.]+)`")
_COMMAND = re.compile(r"\./run(?: --profile \S+)? ([a-z][a-z-]*)")


@cache
def documents() -> dict[str, str]:
    """Return every tracked Markdown file's text by its name."""
    return {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in tracked() if p.suffix == ".md"}


def snippets(language: str) -> list[tuple[str, int, str]]:
    """Return (document, position, text) of each fenced block in a language."""
    return [
        (name, number, match[2])
        for name, text in documents().items()
        for number, match in enumerate(_FENCE.finditer(text))
        if match[1] == language
    ]


@cache
def sources() -> str:
    """Return the source of all tests."""
    return "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("snippet", snippets("python"), ids=lambda snippet: f"{snippet[0]}-{snippet[1]}")
def test_python_examples_run_as_they_stand(snippet: tuple[str, int, str], tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(snippet[2], "utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


def test_the_readme_has_an_example() -> None:
    assert any(name == "README.md" for name, _, _ in snippets("python"))


def test_links_lead_somewhere() -> None:
    broken = [
        f"{name}: {target}"
        for name, text in documents().items()
        for target in _LINK.findall(text)
        if "://" not in target
        and not target.startswith("mailto:")
        and not ((ROOT / name).parent / target).exists()
    ]
    assert broken == []


def test_files_that_are_named_exist() -> None:
    missing = [
        f"{name}: {path}"
        for name, text in documents().items()
        for path in _SOURCE.findall(text)
        if "NNNN" not in path and not (ROOT / path).exists()
    ]
    assert missing == []


def test_attacks_that_are_named_are_tested() -> None:
    """A document may call an attack answered only when tests bear its id."""
    security = documents()["SECURITY.md"]
    named = set(_ATTACK.findall(security))
    assert named
    assert sorted(number for number in named if f"test_s{number}_" not in sources()) == []


def test_tests_that_are_named_exist() -> None:
    named = {test for text in documents().values() for test in _TEST_NAME.findall(text)}
    code = sources() + "".join(path.name for path in (ROOT / "tests").rglob("*.py"))
    assert sorted(test for test in named if test not in code) == []


def test_commands_that_are_named_exist() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "whisp.terminal", "--help"], capture_output=True, text=True, check=True
    ).stdout
    blocks = "\n".join(text for _, _, text in snippets("sh"))
    readme = documents()["README.md"]
    wanted = set(_COMMAND.findall(blocks + "\n" + "\n".join(re.findall(r"`([^`\n]+)`", readme))))
    known = {line.split()[0].rstrip(":") for line in help_text.splitlines() if line.strip()} | {"app"}
    assert wanted
    assert sorted(wanted - known) == []


def test_benches_that_are_named_exist() -> None:
    named = {name for text in documents().values() for name in re.findall(r"\./bench ([a-z]+)", text)}
    assert sorted(named - NAMES.keys()) == []
    for name in NAMES:
        assert find_spec(f"benchmarks.{name}") is not None, name


def test_decisions_say_why_what_and_at_what_cost() -> None:
    for name, text in documents().items():
        if name.startswith("docs/decisions/"):
            assert re.match(r"# \d{4} \S", text), name
            for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
                assert part in text, f"{name} lacks {part}"


def rows(document: str, *heads: str) -> list[list[str]]:
    """Return the cells of every row of the table with these column heads."""
    lines = iter(documents()[document].splitlines())
    for line in lines:
        if _cells(line) == list(heads):
            next(lines)  # the rule below the heads
            found = []
            for row in lines:
                if not row.startswith("|"):
                    break
                found.append(_cells(row))
            return found
    raise AssertionError(f"{document} has no table of {heads}")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" |")] if line.startswith("|") else []


def _code(cell: str) -> str:
    """Return what stands in backquotes, once, or nothing."""
    quoted: list[str] = re.findall(r"`([^`]+)`", cell)
    return quoted[0] if quoted else ""


def whisp_help(*command: str) -> str:
    """Return what `whisp COMMAND --help` prints."""
    return subprocess.run(
        [sys.executable, "-m", "whisp.terminal", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


HOSTING = "docs/guides/hosting.md"


def test_the_hosting_guide_has_every_setting_with_its_default() -> None:
    told = {
        _code(name): _code(default) for name, default, _ in rows(HOSTING, "setting", "default", "meaning")
    }
    real = {
        f"WHISP_{name.upper()}": str(field.default) if field.default not in (None, ()) else ""
        for name, field in Settings.model_fields.items()
    }
    assert told == real


def test_the_hosting_guide_has_every_option_of_serve() -> None:
    told = {
        _code(option): _code(default) for option, _, default in rows(HOSTING, "option", "sets", "default")
    }
    help_text = whisp_help("serve").split("Parameters:")[1]
    assert told == dict(re.findall(r"^  (--\w+) \w+: .*: (\S+?)\.$", help_text, re.MULTILINE))


def test_the_hosting_guide_has_every_rate() -> None:
    def words(rate: rates.Rate | None) -> str:
        if rate is None:
            return ""
        often = 1 / rate.per_second if rate.per_second < 0.1 else rate.per_second
        steady = f"1 in {often:g} seconds" if rate.per_second < 0.1 else f"{often:g} a second"
        return f"{rate.burst:,}, then {steady}"

    told = [(device, address) for _, device, address in rows(HOSTING, "what", "one device", "one address")]
    allowances = [value for value in vars(rates).values() if isinstance(value, rates.Allowance)]
    assert told == [(words(a.per_device), words(a.per_address)) for a in allowances]


def test_the_hosting_guide_has_what_anyone_may_ask_the_server_for() -> None:
    told = {_code(call) for call, _ in rows(HOSTING, "ask", "answers")}
    assert told == {f"GET {o.path}" for o in OPERATIONS if o.method == "GET" and not o.needs_token}


def test_the_specification_has_every_call_of_the_server() -> None:
    told = [_code(call) for call, _, _ in rows("spec/signalling.md", "call", "who", "does")]
    assert sorted(told) == sorted(["GET /v1/connect", *(f"{o.method} {o.path}" for o in OPERATIONS)])


def test_the_hosting_guide_has_every_line_of_the_log() -> None:
    told = [_code(line).rstrip() for line, _ in rows(HOSTING, "line", "means")]
    real = []
    for _, tree in modules("server"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="_log")), args=[ast.Constant(value=str(line)), *_]
                ):
                    real.append(line.partition("%s")[0].rstrip())
    assert sorted(told) == sorted(real)


def test_the_hosting_guide_has_every_file_of_a_running_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = subprocess.Popen(
        [sys.executable, "-m", "whisp.server"],
        env={**os.environ, "WHISP_PORT": "0", "WHISP_DATA": str(data)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline()
            modes = {p.relative_to(data): stat.S_IMODE(p.stat().st_mode) for p in (data, *data.rglob("*"))}
        finally:
            server.send_signal(signal.SIGTERM)
    files = {
        str(path): f"{mode:04o}"
        for path, mode in modes.items()
        if (data / path).suffix or path.name == "lock"
    }
    folders = {mode for path, mode in modes.items() if str(path) not in files}
    assert files == {_code(file): mode for file, mode, _ in rows(HOSTING, "file", "mode", "holds")}
    assert folders == {0o700}


def test_the_retention_guide_has_every_column_of_the_database() -> None:
    told = [
        (_code(table), _code(column))
        for table, column, *_ in rows("docs/guides/retention.md", "table", "column", "holds", "why", "until")
    ]
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate(connection)
        schema = inspect(connection)
        real = [(t, column["name"]) for t in schema.get_table_names() for column in schema.get_columns(t)]
    engine.dispose()
    assert sorted(told) == sorted(real)


def test_the_retention_guide_leaves_no_cell_empty() -> None:
    table = rows("docs/guides/retention.md", "table", "column", "holds", "why", "until")
    assert [row for row in table if len(row) != 5 or not all(row)] == []


def test_numbers_that_are_quoted_by_name_are_those_of_the_code() -> None:
    """`NAME = 60` in a guide is a constant of the code, with that value there."""
    real: dict[str, set[float]] = {}
    for _, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                text = ast.unparse(node.value)
                if re.fullmatch(r"[\d_. *+]+", text):
                    value = eval(text, {"__builtins__": {}})  # digits, dots and signs only
                    real.setdefault(node.target.id, set()).add(value)
    quoted = [
        (name, float(number.replace(",", "")))
        for document, text in documents().items()
        if document.startswith("docs/guides/")
        for name, number in _CONSTANT.findall(text)
    ]
    assert quoted
    assert [(name, number) for name, number in quoted if number not in real.get(name, ())] == []


TERMINAL = "docs/guides/terminal.md"
_COMMON = "Common options:"


def _options(help_text: str) -> set[str]:
    """Return the options of a help text, without those that every command has."""
    own = help_text.partition("Parameters:")[2].partition(_COMMON)[0]
    heads = " ".join(re.findall(r"^  (--[^:]+):", own, re.MULTILINE))
    return set(re.findall(r"(?<!\S)--[a-z-]+", heads))


def test_the_terminal_guide_has_every_exit_code() -> None:
    told = [int(code) for code, _ in rows(TERMINAL, "code", "meaning")]
    assert told == sorted(Exit)


def test_the_terminal_guide_has_every_command_and_its_options() -> None:
    told = {
        _code(command).removeprefix("whisp").strip().partition(" ")[0]: set(re.findall(r"--[a-z-]+", options))
        for command, _, options in rows(TERMINAL, "command", "does", "its options")
    }
    groups = whisp_help().partition("\nCalls:\n")[2].partition(_COMMON)[0]
    commands = re.findall(r"^  ([a-z-]+): ", groups, re.MULTILINE)
    real = {name: _options(whisp_help(*name.split())) for name in ("", *commands)}
    assert commands
    assert told == real


def test_the_terminal_guide_has_every_common_option() -> None:
    told = [_code(option).split()[0] for option, _, _ in rows(TERMINAL, "option", "or variable", "means")]
    common = whisp_help().partition(_COMMON)[2]
    assert told == re.findall(r"^  (--[a-z-]+)", common, re.MULTILINE)


def test_the_terminal_guide_has_every_key() -> None:
    assert rows(TERMINAL, "key", "does") == [list(pair) for pair in prompts._KEYS]


def test_the_terminal_guide_has_every_json_event() -> None:
    told = {_code(event): set(re.findall(r"`(\w+)`", members)) for event, _, members in _events()}
    real: dict[str, set[str]] = {}
    for _, tree in modules("terminal"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="record"), args=[ast.Constant(value=str(event))]):
                    real.setdefault(event, set()).update(str(keyword.arg) for keyword in node.keywords)
    assert told == real


def _events() -> list[list[str]]:
    return rows(TERMINAL, "event", "of", "members")


def test_the_terminal_guide_says_which_command_prints_an_event() -> None:
    commands = set(re.findall(r"^\| `whisp ([a-z-]+)", documents()[TERMINAL], re.MULTILINE))
    named = {name for _, of, _ in _events() for name in of.split(", ") if " " not in name}
    assert named
    assert sorted(named - commands) == []


def test_every_environment_variable_is_in_a_guide() -> None:
    guides = "".join(text for name, text in documents().items() if name.startswith("docs/guides/"))
    code = [*(ROOT / "src").rglob("*.py"), ROOT / "run", *(ROOT / "requirements").glob("*.sh")]
    named = {name for path in code for name in re.findall(r"\bWHISP_[A-Z_]+[A-Z]\b", path.read_text("utf-8"))}
    assert "WHISP_THEME" in named
    assert sorted(name for name in named if f"`{name}`" not in guides and f"{name}=" not in guides) == []
