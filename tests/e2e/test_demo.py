"""`whisp demo` from start to end: it must succeed, and must be able to fail."""

import os
import subprocess
import sys
from pathlib import Path

from whisp.demo.memory_search import count_in_memory

_DEMO = "import sys; from whisp.demo import main; sys.exit(main())"


def test_the_demo_goes_through_and_says_what_it_saw() -> None:
    done = subprocess.run([sys.executable, "-c", _DEMO], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    for words in (
        "User not found or offline.",
        "sefa accepted, keys agreed",
        "see the safety number",
        "said 100 things each, in order, each confirmed",
        "odile   sent 64 MiB over the relayed line",
        "sefa    sent 64 MiB over the relayed line",
        "odile   sent 64 MiB over the direct line",
        "sefa    sent 64 MiB over the direct line",
        "refuse any use of the session",
        "holds 0 calls, 0 online, 0 connections, 0 newcomers",
        "MiB of memory",
        "KiB on disk",
    ):
        assert words in done.stdout
    assert done.stderr == ""


def test_the_demo_fails_with_a_reason_when_a_person_cannot_start(tmp_path: Path) -> None:
    broken = "import sys\nif 'whisp.demo.role' in sys.orig_argv: raise SystemExit(3)\n"
    (tmp_path / "sitecustomize.py").write_text(broken)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _DEMO], capture_output=True, text=True, timeout=90, env=environment
    )
    assert done.returncode == 1
    assert done.stderr == "The demonstration failed. odile ended early.\n"


def test_the_memory_search_finds_what_is_there() -> None:
    """A search that could find nothing would prove nothing."""
    script = "import os,sys; kept = sys.stdin.readline(); print('ready', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        needle = os.urandom(12).hex()
        process.stdin.write(needle + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        found = count_in_memory(process.pid, [needle.encode()], b"sys.stdin")
        process.stdin.write("\n")
        process.stdin.flush()
    assert found is not None
    assert found.needles > 0
    assert found.control > 0
    assert count_in_memory(process.pid, [b"x"], b"y") is None  # it is gone
