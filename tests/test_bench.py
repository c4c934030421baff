"""The bench driver: what it prints, where, and how it leaves. The benches take too long for here."""

import json
import subprocess
import sys
from types import ModuleType

import pytest
from benchmarks.__main__ import main
from benchmarks.environment import environment
from benchmarks.figures import Figure
from benchmarks.measure import cpu_seconds, interleave, pinned, resident_bytes

MET = Figure("speed", 5.0, "x", 4.0)
MISSED = Figure("memory", 100.0, "MiB", 96.0, "at most")
REPORTED = Figure("time", 1234.5678, "µs")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Put a bench in the place of `ratchet` that prints, through a child too, and returns these figures."""
    returned: list[Figure] = [MET, REPORTED]
    bench = ModuleType("benchmarks.ratchet")

    def run(quick: bool) -> list[Figure]:
        print("quick" if quick else "full")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)
        return returned

    bench.run = run  # type: ignore[attr-defined] # a module made by hand
    monkeypatch.setitem(sys.modules, "benchmarks.ratchet", bench)
    return returned


def test_json_is_one_object_and_nothing_else(
    figures: list[Figure], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["ratchet", "--json", "--quick"]) == 0
    out, err = capfd.readouterr()
    said = json.loads(out)
    assert said.keys() == {"bench", "figures", "environment"}
    assert said["bench"] == "ratchet"
    assert said["figures"] == [
        {"name": "speed", "value": 5.0, "unit": "x", "bar": 4.0, "ok": True},
        {"name": "time", "value": 1234.5678, "unit": "µs", "bar": None, "ok": True},
    ]
    assert "quick" in err
    assert "child" in err


def test_a_missed_bar_is_printed_and_then_fails(
    figures: list[Figure], capfd: pytest.CaptureFixture[str]
) -> None:
    figures.append(MISSED)
    assert main(["ratchet"]) == 1
    out, _ = capfd.readouterr()
    assert "MISSED" in out
    assert "at most 96" in out
    assert "1,235" in out


def test_an_unknown_name_gets_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["rachet"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "ratchet" in err


def test_no_name_lists_them(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "session" in capfd.readouterr().out


def test_the_environment_names_no_host_and_no_path() -> None:
    import platform
    from pathlib import Path

    said = json.dumps(environment())
    assert json.loads(said)["python"].startswith(platform.python_implementation())
    assert str(Path.cwd()) not in said
    assert platform.node() not in said or len(platform.node()) < 4


def test_interleaving_compares_round_by_round_and_takes_turns() -> None:
    order: list[str] = []
    loads = iter([9.0, 9.0, 1.0, 1.0, 50.0, 50.0, 2.0, 2.0])

    def contestant(name: str, factor: float) -> float:
        order.append(name)
        return next(loads) * factor

    found = interleave(lambda: contestant("a", 1.0), lambda: contestant("b", 2.0), rounds=3)
    assert order == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert found.ratio == 2.0
    assert (found.a, found.b) == (2.0, 4.0)


def test_a_process_can_be_measured_and_pinned() -> None:
    script = "print('up', flush=True); input()"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            with pinned(child.pid, {0}):
                assert cpu_seconds(child.pid) >= 0
                assert resident_bytes(child.pid) > 1_000_000
        finally:
            child.terminate()
