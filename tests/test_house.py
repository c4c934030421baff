"""The rules of the house, checked: a rule without a machine is a wish (CONTRIBUTING.md lists them)."""

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from whisp.wire.codes import CloseCode, ErrorCode

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "whisp"
MAX_LINES = 600
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
CODE = {".css", ".py", ".sh", ".ts", ".vue"}
VAGUE_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that belongs to the project: what git lists, else what an unpacked archive holds."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0 and listing.stdout:
        names = listing.stdout.decode().rstrip("\0").split("\0")
        return tuple(path for name in names if (path := ROOT / name).is_file())
    skipped = {".venv", ".git", "data", "__pycache__"}
    return tuple(p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts))


def modules(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield the name and syntax tree of every module of the package, or of some of its rooms."""
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        if not rooms or inside.parts[0] in rooms:
            yield str(inside), ast.parse(path.read_text("utf-8"))


def names_of(tree: ast.Module) -> set[str]:
    """Return what a module binds at its top."""
    bound: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign):
            bound |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            bound.add(node.target.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
    return bound


def test_every_module_says_what_it_promises_and_offers() -> None:
    silent = [name for name, tree in modules() if not ast.get_docstring(tree)]
    closed = [
        name
        for name, tree in modules()
        if "migrations" not in name
        and not name.endswith("__main__.py")  # nobody imports from these
        and any(not part.startswith("_") for part in names_of(tree))
        and "__all__" not in names_of(tree)
    ]
    assert (silent, closed) == ([], [])


def test_nothing_is_left_for_later() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    code = [path for path in tracked() if path.is_relative_to(PACKAGE) or path.is_relative_to(ROOT / "web")]
    assert len(code) > 200
    left = [
        str(p.relative_to(ROOT)) for p in code if p.suffix in CODE and unfinished.search(p.read_text("utf-8"))
    ]
    assert left == []


def test_the_web_app_names_no_other_origin() -> None:
    """What is not named cannot be asked: of addresses the app has only examples, and XML's names."""
    named = {
        f"{path.relative_to(ROOT)}: {address}"
        for path in tracked()
        if path.suffix in CODE | {".html", ".json", ".svg", ".webmanifest"}
        if any(path.is_relative_to(ROOT / "web" / room) for room in ("app", "client", "core"))
        if not path.is_relative_to(ROOT / "web" / "app" / "dev")
        for address in re.findall(r"\b(?:https?|wss?)://[\w.-]+", path.read_text("utf-8"))
        if not re.search(r"://([\w.-]+\.)?(example|w3\.org)$", address)
    }
    assert named == set()


def test_files_have_one_purpose_and_a_name_that_tells_it() -> None:
    code = [path for path in tracked() if path.suffix in CODE]
    assert {path.suffix for path in code} == CODE
    long = {str(p.relative_to(ROOT)): n for p in code if (n := p.read_text("utf-8").count("\n")) > MAX_LINES}
    vague = [str(p.relative_to(ROOT)) for p in code if {p.stem, p.parent.name} & VAGUE_NAMES]
    assert (long, vague) == ({}, [])


def _tells_nothing(argument: ast.expr) -> bool:
    """Say whether a logged value can only be a constant, a count, a type's name or a place in our code."""
    match argument:
        case ast.Constant() | ast.Name(id="where"):
            return True
        case ast.Call(func=ast.Name(id="len" | "int" | "round" | "bool" | "_place_of")):
            return True
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type")), attr="__name__"):
            return True
    return False


def _telling_logs(tree: ast.AST) -> list[int]:
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method)) if (
                owner.strip("_").lower() in {"log", "logger", "logging"} and method in LOG_METHODS
            ):
                values = [*node.args, *(keyword.value for keyword in node.keywords)]
                if method == "exception" or not all(map(_tells_nothing, values)):
                    lines.append(node.lineno)
    return lines


def test_s28_the_server_logs_shapes_and_never_values() -> None:
    """No name, address, identifier or payload can reach a log, and no traceback that would quote one."""
    found = {name: lines for name, tree in modules("server") if (lines := _telling_logs(tree))}
    assert found == {}


@pytest.mark.parametrize(
    ("line", "is_telling"),
    [
        ('_log.info("a call ended")', False),
        ('_log.info("%d connections", len(peers))', False),
        ('_log.error("could not: %s", type(error).__name__)', False),
        ('_log.info("%s is online", username)', True),
        ('_log.info(f"{username} is online")', True),
        ('logging.warning("refused: %s", error)', True),
        ('_log.exception("it broke")', True),
        ('_log.error("it broke", exc_info=error)', True),
    ],
)
def test_the_rule_for_logs_sees_what_it_should(line: str, is_telling: bool) -> None:
    assert bool(_telling_logs(ast.parse(line))) is is_telling


def test_every_vector_file_is_run_by_a_test() -> None:
    vectors = [
        path
        for path in tracked()
        if path.match("spec/vectors/**/*.json") or path.match("spec/vectors/*.json")
    ]
    tests = "\n".join(p.read_text("utf-8") for p in (ROOT / "tests").rglob("*.py"))
    assert vectors
    assert [path.name for path in vectors if path.stem not in tests] == []


def test_the_specification_names_every_code() -> None:
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "spec").rglob("*.md"))
    assert [code for code in CloseCode if not re.search(rf"\b{code.value}\b", text)] == []
    assert [code for code in ErrorCode if not re.search(rf"\b{code.value}\b", text)] == []


def test_nothing_names_a_machine_or_a_registry() -> None:
    """No path of the machine it was made on, and locks that install from any mirror."""
    places = [f"{place}/".encode() for place in (ROOT, Path.home()) if len(place.parts) > 1]
    paths = [str(p.relative_to(ROOT)) for p in tracked() if any(place in p.read_bytes() for place in places)]
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    located = [lock.name for lock in locks if re.search(r"://|^-|@ ", lock.read_text("utf-8"), re.MULTILINE)]
    assert locks
    assert (paths, located) == ([], [])


def _pinned(lock: Path) -> dict[str, int]:
    """Return how many hashes each package of a lock file has."""
    entries = lock.read_text("utf-8").replace("\\\n", " ").splitlines()
    return {
        re.split(r"[=\[ ]", entry, maxsplit=1)[0]: entry.count("--hash=sha256:")
        for entry in entries
        if entry and not entry.startswith("#")
    }


def _wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;~! ]", wanted, maxsplit=1)[0].lower() for wanted in requirements}


def test_every_requirement_is_locked_by_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    runtime = _pinned(ROOT / "requirements" / "runtime.txt")
    test = _pinned(ROOT / "requirements" / "test.txt")
    web = _pinned(ROOT / "requirements" / "web.txt")
    assert not (_wanted(project["project"]["dependencies"]) | _wanted(groups["build"])) - runtime.keys()
    assert not _wanted(groups["test"]) - test.keys()
    assert not _wanted(groups["web"]) - web.keys()
    assert all([*runtime.values(), *test.values(), *web.values()])
    assert not runtime.keys() - test.keys()


def test_every_dependency_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    reasons = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text("utf-8").lower()
    wanted = _wanted(project["project"]["dependencies"]) | _wanted(project["dependency-groups"]["test"])
    assert sorted(name for name in wanted if f"`{name}`" not in reasons) == []


def test_the_commands_can_be_run() -> None:
    commands = ["run", "test", "bench", ".ci/run", "requirements/lock"]
    assert [name for name in commands if not os.access(ROOT / name, os.X_OK)] == []
