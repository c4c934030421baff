"""The database's history, one step a file, each with a way back. They run by themselves at the start."""

from typing import Final

__all__ = ["HEAD", "KNOWN"]

KNOWN: Final = ("0001",)
"""Every revision, oldest first. Kept here so that a start at the newest one need not load Alembic."""

HEAD: Final = KNOWN[-1]
