"""What every test shares: how hard Hypothesis tries."""

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow]  # a busy machine is not a fault of the test
settings.register_profile(
    "quick", max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=_SLOW
)
settings.register_profile("thorough", max_examples=5000, deadline=None, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
