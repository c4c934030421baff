"""No traceback on the terminal: what the runtime prints by itself when something goes wrong is turned off.

A traceback of a library may quote what it was working on. Faults reach a person as one sentence instead.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["hush", "hush_loop"]


def hush() -> None:
    """Send the logs of libraries nowhere, and let threads end without a word."""
    logging.getLogger().addHandler(logging.NullHandler())
    threading.excepthook = lambda arguments: None


def hush_loop(on_fault: Callable[[Exception], None] | None = None) -> None:
    """Let the running loop report what nobody awaited to `on_fault` only."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if on_fault is not None and isinstance(error, Exception):
            on_fault(error)

    asyncio.get_running_loop().set_exception_handler(handle)
