"""The marks the terminal draws, each with a form for screens that know only ASCII."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["ASCII", "UNICODE", "Glyphs", "choose"]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One family of marks. Shape carries the meaning; colour only repeats it."""

    online: str
    recently: str
    out: str
    new_key: str
    verified: str
    dot: str
    """An end of the line: a person."""
    relay: str
    wire: str
    broken: str
    ringing: str
    on_its_way: str
    sent: str
    delivered: str
    bar_done: str
    bar_head: str
    bar_left: str
    file: str
    done: str
    saved: str
    prompt: str
    separator: str
    ellipsis: str
    is_ascii: bool

    def say(self, text: str) -> str:
        """Return `text` as this screen can show it: typographic marks become ASCII where they must."""
        return text.translate(_TO_ASCII) if self.is_ascii else text


_TO_ASCII: Final = {
    **{0x2400 + code: f"^{chr(0x40 + code)}" for code in range(0x20)},
    ord("␡"): "^?",
    ord("␤"): "^J",
    **str.maketrans(
        {
            "…": "...", "’": "'", "“": '"', "”": '"', "–": "-", "·": "-", "‹": "<", "›": ">", "✓": "v",
            "●": "*", "◐": "+", "○": "o", "─": "-", "━": "#", "╺": ">", "⚠": "!", "↧": "v",
            "↑": "Up", "↓": "Down",
        }
    ),
}  # fmt: skip

UNICODE: Final = Glyphs(
    online="●",
    recently="◐",
    out="○",
    new_key="⚠",
    verified="✓",
    dot="●",
    relay="○",
    wire="─",
    broken="-",
    ringing="·",
    on_its_way="·",
    sent="✓",
    delivered="✓✓",
    bar_done="━",
    bar_head="╺",
    bar_left="─",
    file="↧",
    done="✓",
    saved="↧",
    prompt="›",
    separator="·",
    ellipsis="…",
    is_ascii=False,
)

ASCII: Final = Glyphs(
    online="*",
    recently="+",
    out="o",
    new_key="!",
    verified="[ok]",
    dot="*",
    relay="o",
    wire="-",
    broken="-",
    ringing=".",
    on_its_way=".",
    sent="v",
    delivered="vv",
    bar_done="#",
    bar_head=">",
    bar_left="-",
    file="[file]",
    done="v",
    saved="v",
    prompt=">",
    separator="-",
    ellipsis="...",
    is_ascii=True,
)


def choose(environment: Mapping[str, str] | None = None, encoding: str | None = None) -> Glyphs:
    """Return the family this terminal can show: Unicode, unless its encoding or `WHISP_ASCII` says no."""
    environment = os.environ if environment is None else environment
    if environment.get("WHISP_ASCII", "") not in ("", "0"):
        return ASCII
    if environment.get("TERM") in ("linux", "dumb", "vt100", "vt220"):
        return ASCII  # the console font has neither ◐ nor half blocks
    name = (encoding if encoding is not None else sys.stdout.encoding) or "ascii"
    return UNICODE if name.lower().replace("-", "").startswith("utf") else ASCII
