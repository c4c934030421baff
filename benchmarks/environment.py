"""Where a figure was measured: machine and versions, and nothing that names a person, a host or a path."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

__all__ = ["environment"]

_PACKAGES: Final = (
    "whisp",
    "cryptography",
    "doubleratchet",
    "fastapi",
    "httptools",
    "msgspec",
    "picows",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
    "vodozemac",
    "websockets",
)


def environment() -> dict[str, str | int | dict[str, str]]:
    """Return what a reader needs to judge or repeat a measurement."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def usable_cores() -> int:
    """Return how many cores this process may use, which a container can make fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        label, _, value = line.partition(":")
        if label.strip() in ("model name", "Model"):
            return " ".join(value.split())
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
