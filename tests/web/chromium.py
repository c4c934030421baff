"""The browser of the tests: Debian's Chromium, which reaches nothing but this machine."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, BrowserContext, Playwright

__all__ = ["MISSING", "OWN_ADDRESSES", "executable", "launch", "launch_with_profile", "reaches_nothing_else"]

OWN_ADDRESSES: Final = "--disable-features=WebRtcHideLocalIpsWithMdns"
"""Direct lines on one machine need it: names in place of addresses are asked for by multicast, in vain."""

MISSING: Final = "the Debian package chromium is not installed"

_FLAGS: Final = (
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    # Names lead nowhere: what asks for another host fails, and the watch over requests has seen it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def executable() -> str | None:
    """Return Chromium's path, None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def reaches_nothing_else() -> list[str]:
    """Return the arguments Chromium is started with. Its own sandbox needs another user than root."""
    return [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 or not _has_user_namespaces() else [])]


async def launch(playwright: Playwright, *more: str) -> Browser:
    """Start a browser without a profile; each context in it is a fresh one. `more` are arguments for it."""
    arguments = [*reaches_nothing_else(), *more]
    return await playwright.chromium.launch(executable_path=executable(), args=arguments)


async def launch_with_profile(playwright: Playwright, folder: Path) -> BrowserContext:
    """Start a browser whose profile is a folder on disk, as a person's is."""
    return await playwright.chromium.launch_persistent_context(
        folder, executable_path=executable(), args=reaches_nothing_else()
    )


def _has_user_namespaces() -> bool:
    return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0
