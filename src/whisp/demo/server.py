"""The demonstration's server, in a process of its own, with its data in the folder named.

It prints its origin, and for every line on standard input how much it holds: one JSON value a line. No text
of the demonstration stands here or in what this imports: a search of this process's memory means something.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from whisp.server.config import Settings
from whisp.server.serve import running

__all__ = ["main"]


async def serve(data: Path) -> None:
    """Serve until standard input ends."""
    async with running(Settings(port=0, data=data)) as server:
        report(server.origin)
        while await asyncio.to_thread(sys.stdin.readline):
            report(dict(server.application.counts()))


def report(value: Any) -> None:
    """Tell the director."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve with the data in the folder named by the argument."""
    asyncio.run(serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
