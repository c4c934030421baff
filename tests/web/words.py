"""The app's own words, by which tests find what a person would look for."""

import json
import re
from functools import cache
from typing import Any

from tests.test_house import ROOT

__all__ = ["pattern", "say"]


@cache
def _messages(language: str) -> dict[str, Any]:
    folder = ROOT / "web" / "app" / "locales"
    messages: dict[str, Any] = json.loads((folder / f"{language}.json").read_text("utf-8"))
    return messages


def say(key: str, /, *, language: str = "en", **values: str) -> str:
    """Return a message, its places filled."""
    text: Any = _messages(language)
    for part in key.split("."):
        text = text[part]
    assert isinstance(text, str), key
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def pattern(key: str, /, **values: str) -> re.Pattern[str]:
    """Return what matches a message whose other places, and plural, may be anything."""
    text: Any = _messages("en")
    for part in key.split("."):
        text = text[part]
    forms = []
    for form in text.split(" | "):
        pieces = re.split(r"\{(\w+)\}", form)
        forms.append(
            "".join(
                re.escape(piece) if place % 2 == 0 else re.escape(values[piece]) if piece in values else ".+?"
                for place, piece in enumerate(pieces)
            )
        )
    return re.compile("|".join(forms))
