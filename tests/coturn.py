"""A real coturn, with the configuration of the hosting guide, on loopback and for as long as a test lasts."""

import asyncio
import base64
import fcntl
import hmac
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from whisp.wire import api

__all__ = ["Coturn", "coturn", "turn_settings"]

ROOT: Final = Path(__file__).parents[1]
CONFIGURATION: Final = ROOT / "deploy" / "turnserver.conf"
SECRET: Final = "the-secret-of-the-test-relay"
REALM: Final = "whisp.test"
START_SECONDS: Final = 10.0
INSTALL_SECONDS: Final = 180.0

LOOPBACK_PEERS: Final = ("allow-loopback-peers", "allowed-peer-ip=127.0.0.1")
"""What only a test may allow: both peers, and their relay, are on this machine."""


@dataclass(frozen=True)
class Coturn:
    """A running one."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it is, for clients."""
        return f"turn:127.0.0.1:{self.port}"

    def credentials(self, name: str = "00ff", seconds: int = 600) -> api.TurnCredentials:
        """Return credentials as the server makes them."""
        username = f"{int(time.time()) + seconds}:{name}"
        credential = base64.b64encode(hmac.digest(SECRET.encode(), username.encode(), "sha1")).decode()
        return api.TurnCredentials("ok", [self.url], [], username, credential, int(time.time()) + seconds)

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(3)


def turn_settings(relay: Coturn) -> dict[str, Any]:
    """Return the settings of a server that shares its secret with this relay."""
    return {"turn_urls": (relay.url,), "turn_secret": SECRET}


@asynccontextmanager
async def coturn(*more: str, peers: tuple[str, ...] = LOOPBACK_PEERS) -> AsyncIterator[Coturn]:
    """Run coturn as documented, with these lines more; skip the test where it cannot be had."""
    program = _program()
    if program is None:
        pytest.skip("coturn is not here and may not be installed: apt-get install coturn")
    port = _free_port()
    own = (
        f"realm={REALM}",
        f"static-auth-secret={SECRET}",
        f"listening-port={port}",
        "listening-ip=127.0.0.1",
        "relay-ip=127.0.0.1",
        "no-tls",
        "no-dtls",
    )
    with tempfile.TemporaryDirectory(prefix="whisp-coturn-") as folder:
        file = Path(folder) / "turnserver.conf"
        database = f"userdb={folder}/turndb"
        file.write_text(
            "\n".join([CONFIGURATION.read_text("utf-8"), *own, database, *peers, *more, ""]), "utf-8"
        )
        with (Path(folder) / "output").open("wb") as output:
            process = subprocess.Popen([program, "-c", str(file)], stdout=output, stderr=output, cwd=folder)
        running = Coturn(port, process)
        try:
            await _answers(running)
            yield running
        finally:
            running.stop()


@cache
def _program() -> str | None:
    """Return coturn, installing it if this user may do so without being asked."""
    found = shutil.which("turnserver", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/sbin:/usr/local/bin")
    if found is not None:
        return found
    with (Path(tempfile.gettempdir()) / f"whisp-coturn-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test processes one installs
        script = f"top='{ROOT}'; . '{ROOT}/requirements/environment.sh'; install_debian coturn"
        if not shutil.which("turnserver"):
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    ["sh", "-c", script], timeout=INSTALL_SECONDS, check=False, stdin=subprocess.DEVNULL
                )
    return shutil.which("turnserver")


def _free_port() -> int:
    """Return a port that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with suppress(OSError):
                udp.bind(tcp.getsockname())
                port: int = tcp.getsockname()[1]
                return port


async def _answers(relay: Coturn) -> None:
    """Wait until it answers a STUN binding request."""
    request = bytes.fromhex("000100002112a442") + os.urandom(12)
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and relay.process.poll() is None:
            with suppress(OSError):
                udp.sendto(request, ("127.0.0.1", relay.port))
            await asyncio.sleep(0.05)
            with suppress(OSError):
                if udp.recv(1024)[:2] == b"\x01\x01":
                    return
    raise AssertionError("coturn did not start")
