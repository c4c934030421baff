"""What a bench reports: named figures with their bars."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `bar` is what it must reach; None where it is only reported."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    direction: Literal["at least", "at most"] = "at least"

    @property
    def ok(self) -> bool:
        """Say whether the bar is met; a figure without one always is."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.direction == "at least" else self.value <= self.bar
