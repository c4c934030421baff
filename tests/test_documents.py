"""What the documents say is true as far as a machine can tell: examples run, links lead somewhere."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from benchmarks.__main__ import NAMES
from tests.test_house import ROOT, tracked

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_ATTACK = re.compile(r"\bS-(\d\d)\b")
_TEST_NAME = re.compile(r"`(test_\w+)`")
_SOURCE = re.compile(r"`((?:src|spec|tests|docs|benchmarks|examples|requirements)/[\w./-]*)`")
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
        assert (ROOT / "benchmarks" / f"{name}.py").exists(), name


def test_decisions_say_why_what_and_at_what_cost() -> None:
    for name, text in documents().items():
        if name.startswith("docs/decisions/"):
            assert re.match(r"# \d{4} \S", text), name
            for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
                assert part in text, f"{name} lacks {part}"
