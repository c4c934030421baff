"""Committed pictures of the screens, as text. `WHISP_DRAW=1 pytest tests/terminal` draws them anew."""

import os
from difflib import unified_diff
from pathlib import Path

__all__ = ["looks_like"]

_FOLDER = Path(__file__).parent / "pictures"


def looks_like(name: str, text: str) -> None:
    """Compare a screen with its committed picture, or draw that picture if asked to."""
    path = _FOLDER / f"{name}.txt"
    if os.environ.get("WHISP_DRAW"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return
    expected = path.read_text("utf-8")
    difference = "\n".join(
        unified_diff(expected.splitlines(), text.splitlines(), "committed", "drawn", lineterm="")
    )
    assert text == expected, f"{name} looks different:\n{difference}"
