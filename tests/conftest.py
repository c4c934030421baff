"""What tests share: how hard Hypothesis tries, that Ctrl+C works, and a small web app to serve."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.server.pages import small_app

# A suite that a shell starts in its background ignores SIGINT, and so would every command a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

_SLOW = [HealthCheck.too_slow]  # a busy machine is not a fault of the test
settings.register_profile(
    "quick", max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=_SLOW
)
settings.register_profile("thorough", max_examples=5000, deadline=None, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder with a web app of a few files."""
    return small_app.put(tmp_path / "web_app")
