"""`whisp demo`: the main job for real, on a private server, with two people in processes of their own."""

import asyncio
import sys

from whisp.demo.script import DemoError
from whisp.demo.show import show

__all__ = ["main"]


def main() -> int:
    """Run the demo and print it. Returns the exit code: 0, or 1 with the reason on stderr."""
    try:
        asyncio.run(show())
    except DemoError as error:
        sys.stderr.write(f"The demo failed: {error}\n")
        return 1
    return 0
