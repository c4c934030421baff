"""What Lighthouse says of the page that a new person opens: the phone it simulates, its own throttling."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.web import chromium

from benchmarks.figures import Figure

__all__ = ["audit"]

_HERE: Final = Path(__file__).resolve().parent
_TOP: Final = _HERE.parent.parent
_CATEGORIES: Final = ("performance", "accessibility", "best-practices")
_BAR: Final = 95
_AUDIT_SECONDS: Final = 90

_TRIES: Final = 3
"""Now and then Lighthouse misses the start of a page, gives no score and asks to be run again."""


def audit(origin: str, rounds: int) -> list[Figure]:
    """Run Lighthouse `rounds` times on the page at `origin`; report the median of each category, 0 to 100."""
    scores = [_scores(origin) for _ in range(rounds)]
    return [
        Figure(
            f"lighthouse_{category.replace('-', '_')}",
            sorted(score[category] for score in scores)[rounds // 2],
            "of 100",
            _BAR,
        )
        for category in _CATEGORIES
    ]


def _scores(origin: str) -> dict[str, float]:
    node = _node()
    with tempfile.TemporaryDirectory(prefix="whisp-bench-") as folder:
        report = Path(folder) / "report.json"
        # the rules for names have spaces, which this option would split
        flags = [flag for flag in chromium.reaches_nothing_else() if " " not in flag]
        flags += ["--headless=new", f"--user-data-dir={folder}/profile"]
        command = [
            str(node / "node"),
            str(_install(node) / "lighthouse" / "cli" / "index.js"),
            origin,
            "--quiet",
            "--disable-full-page-screenshot",
            "--output=json",
            f"--output-path={report}",
            f"--only-categories={','.join(_CATEGORIES)}",
            "--chrome-flags=" + " ".join(flags),
        ]
        environment = {**os.environ, "CHROME_PATH": str(chromium.executable()), "CI": "1"}
        for left in reversed(range(_TRIES)):
            ended = subprocess.run(command, env=environment, check=left == 0, timeout=_AUDIT_SECONDS)
            if ended.returncode == 0:
                break
        found = json.loads(report.read_text("utf-8"))["categories"]
    return {category: 100 * found[category]["score"] for category in _CATEGORIES}


def _node() -> Path:
    """Return the folder of the locked Node: Lighthouse asks for a newer one than most machines have."""
    return _TOP / ".venv" / "bin"


def _install(node: Path) -> Path:
    """Install Lighthouse from its lock file, once; no package runs a script of its own."""
    modules = _HERE / "node_modules"
    stamp = modules / ".installed-lock.json"
    lock = _HERE / "package-lock.json"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        environment = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}"}
        command = [str(node / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=_HERE, env=environment, check=True)
        stamp.write_bytes(lock.read_bytes())
    return modules
