"""Every test here runs in UTC, whatever the machine thinks, and without a person's settings."""

import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the clock's place and clear what could change the look; leave this process its own logging."""
    monkeypatch.setenv("TZ", "UTC")
    for name in ("NO_COLOR", "WHISP_THEME", "WHISP_ASCII", "WHISP_SERVER", "WHISP_PROFILE", "COLORFGBG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("whisp.terminal.quiet.hush", lambda: None)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
