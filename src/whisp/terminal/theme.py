"""The theme `whisp`, dark and light: one accent, which means alive; red for loss and broken promises only."""

import os
from collections.abc import Mapping
from typing import Final

from textual.theme import Theme

__all__ = ["DARK", "LIGHT", "choose"]

DARK: Final = Theme(
    name="whisp",
    primary="#dcaacb",
    accent="#dcaacb",
    secondary="#c6bcc5",
    foreground="#f2edf1",
    background="#161314",
    surface="#1d191b",
    panel="#282325",
    warning="#ebc27a",
    error="#ff9f8f",
    success="#dcaacb",
    dark=True,
    variables={
        "sunken": "#110e0f",
        "hairline": "#342d31",
        "edge": "#83777e",
        "ink-soft": "#c6bcc5",
        "ink-faint": "#a79ca7",
        "on-accent": "#34112a",
        "accent-soft": "#372333",
        "on-danger": "#3b0d06",
        "danger-soft": "#3d1e1a",
        "caution-soft": "#342812",
        "bubble-out": "#412a3c",
        "ink-button": "#433a40",
        "on-ink-button": "#f7f2f5",
        "input-cursor-background": "#dcaacb",
        "input-cursor-foreground": "#34112a",
        "input-selection-background": "#6d4a63",
    },
)

LIGHT: Final = Theme(
    name="whisp-light",
    primary="#742f60",
    accent="#742f60",
    secondary="#574d58",
    foreground="#271f28",
    background="#f6f3f1",
    surface="#ffffff",
    panel="#ede9e7",
    warning="#754a00",
    error="#a12a1c",
    success="#742f60",
    dark=False,
    variables={
        "sunken": "#ede9e7",
        "hairline": "#e5dfdd",
        "edge": "#857b82",
        "ink-soft": "#574d58",
        "ink-faint": "#685e69",
        "on-accent": "#ffffff",
        "accent-soft": "#f3e7ef",
        "on-danger": "#ffffff",
        "danger-soft": "#fbeae6",
        "caution-soft": "#f9efdb",
        "bubble-out": "#efe1ea",
        "ink-button": "#2d2430",
        "on-ink-button": "#ffffff",
        "input-cursor-background": "#742f60",
        "input-cursor-foreground": "#ffffff",
        "input-selection-background": "#d5b2ca",
    },
)


def choose(environment: Mapping[str, str] | None = None) -> Theme:
    """Return the theme asked for by `WHISP_THEME`, else by the terminal's `COLORFGBG`, else dark."""
    environment = os.environ if environment is None else environment
    asked = environment.get("WHISP_THEME", "").lower()
    if asked in ("light", "dark"):
        return LIGHT if asked == "light" else DARK
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT if background in ("7", "15") else DARK
