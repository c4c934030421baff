"""A TypeScript program of web/tests/interop that answers a JSON object per line with one.

Needs `node` on the PATH and the packages of web/package-lock.json (`npm ci` in web/). Without them these
tests fail; they are never skipped, since a twin that nobody compares drifts.
"""

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["NodeProgram"]

WEB = Path(__file__).resolve().parents[2] / "web"


class NodeProgram:
    """A running program; leaving the context ends it, and fails if it had crashed."""

    def __init__(self, name: str) -> None:
        node = shutil.which("node")
        assert node is not None, "these tests need node on the PATH"
        assert (WEB / "node_modules" / "tsx").is_dir(), "these tests need `npm ci` in web/"
        self._process = subprocess.Popen(
            [node, "--import", "tsx", f"tests/interop/{name}"],
            cwd=WEB,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Send one command and return its answer."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(command) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, "the program ended; what it said is on stderr"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process as process:  # closes its pipes, which ends it, and waits
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert kind is not None or process.returncode == 0
