"""`./bench NAME [--quick] [--json]`: run one bench, print its figures, leave with 1 when a bar is missed."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Final

from benchmarks.environment import environment
from benchmarks.figures import Figure

__all__ = ["main"]

NAMES: Final = {
    "ratchet": "encrypting and decrypting messages, against doubleratchet and vodozemac",
    "relay": "frames through the blind relay, per CPU-second of the server",
    "idle": "memory for a connection that only waits",
    "discover": "look-ups, per CPU-second of the server",
    "session": "from ringing to the first message, and messages in a call",
    "web": "the web app in Chromium: set-up, typing, files, weight, Lighthouse",
    "file": "a large file, direct and relayed, against magic-wormhole",
}


def main(arguments: Sequence[str]) -> int:
    """Run the bench named in `arguments`; return 0, 1 for a missed bar, or 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="./bench",
        usage="./bench NAME [--quick] [--json]",
        description="Benches:\n" + "\n".join(f"  {name:<10}{what}" for name, what in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a short run, rougher figures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(arguments)
    if asked.name is None:
        parser.print_help()
        return 2
    if asked.name not in NAMES:
        print(f"There is no bench of that name. There are: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    with _own_stdout():
        figures: list[Figure] = import_module(f"benchmarks.{asked.name}").run(asked.quick)
    print(_as_json(asked.name, figures) if asked.json else _as_table(figures))
    return 0 if all(figure.ok for figure in figures) else 1


def _as_json(name: str, figures: Sequence[Figure]) -> str:
    rows = [
        {
            "name": figure.name,
            "value": round(figure.value, 4),
            "unit": figure.unit,
            "bar": figure.bar,
            "ok": figure.ok,
        }
        for figure in figures
    ]
    return json.dumps({"bench": name, "figures": rows, "environment": environment()})


def _as_table(figures: Sequence[Figure]) -> str:
    rows = [
        (
            figure.name,
            f"{figure.value:,.2f}" if figure.value < 1000 else f"{figure.value:,.0f}",
            figure.unit,
            "" if figure.bar is None else f"{figure.direction} {figure.bar:g}",
            "" if figure.bar is None else "ok" if figure.ok else "MISSED",
        )
        for figure in figures
    ]
    name, value, unit, bar = (max(len(row[column]) for row in rows) for column in range(4))
    lines = [f"{a:<{name}}  {b:>{value}} {c:<{unit}}  {d:<{bar}}  {e}".rstrip() for a, b, c, d, e in rows]
    where = environment()
    return "\n".join(
        [*lines, "", f"{where['cpu']}, {where['cores']} cores, {where['system']}, {where['python']}"]
    )


@contextmanager
def _own_stdout() -> Iterator[None]:
    """Send what a bench and its peers print to standard error: standard output is for the result alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
