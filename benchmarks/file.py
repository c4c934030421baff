"""`./bench file`: whole commands that move one file, against magic-wormhole in the same run.

Both sides start two new processes on this machine, move the file and exit. A Whisp peer also makes an
account and a call; wormhole agrees on a code through its own local mailbox. Direct is a TCP connection
between the two, relayed goes through each project's own relay.

Right before each run as much memory as the file takes is written to and freed. On a virtual machine, memory
that nobody has touched lately costs more to write to than the whole transfer, now for one side, now for the
other.
"""

import asyncio
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from whisp.testing import running_server_process

__all__ = ["run", "wormhole_servers", "write_random"]

_MIB: Final = 1024 * 1024
_TOP: Final = Path(__file__).resolve().parent.parent
_CACHE: Final = _TOP / ".venv" / "bench-wormhole"
_CONTESTANTS: Final = ("direct", "wormhole", "relayed", "wormhole_relayed")
_COMMAND_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    peak_mib: float


def run(quick: bool) -> list[Figure]:
    """Move 512 MiB (quick: 256 MiB) both ways of travel, four contestants in turn; report median ratios."""
    return asyncio.run(_measure(quick))


async def _measure(quick: bool) -> list[Figure]:
    size, rounds = (256 * _MIB, 2) if quick else (512 * _MIB, 3)
    times: dict[str, list[_Run]] = {
        name: [] for name in ("direct", "wormhole", "relayed", "wormhole_relayed")
    }
    with ExitStack() as servers, tempfile.TemporaryDirectory(prefix="whisp-bench-") as folder:
        scratch = Path(folder)
        source = scratch / "payload.bin"
        write_random(source, size)
        warm_up = scratch / "warm-up.bin"
        write_random(warm_up, _MIB)
        async with running_server_process() as server:
            wormhole = servers.enter_context(wormhole_servers(scratch))
            contestants: dict[str, Callable[[Path, Path], _Run]] = {
                "direct": lambda file, out: _whisp(server.origin, file, out, direct=True),
                "wormhole": lambda file, out: wormhole.move(file, out, direct=True),
                "relayed": lambda file, out: _whisp(server.origin, file, out, direct=False),
                "wormhole_relayed": lambda file, out: wormhole.move(file, out, direct=False),
            }
            for number in range(rounds + 1):
                turns = list(contestants.items())
                for name, contestant in turns if number % 2 else reversed(turns):
                    out = scratch / f"{name}-{number}"
                    out.mkdir()
                    if not number:  # the first round compiles what is not installed
                        contestant(warm_up, out)
                        continue
                    _touch_memory(scratch / "touched.bin", size)
                    times[name].append(contestant(source, out))
                    _check(source, out)
    peak = max(each.peak_mib for name in ("direct", "relayed") for each in times[name])
    return [
        Figure("direct_vs_wormhole", _ratio(times["wormhole"], times["direct"]), "times as fast", 3),
        Figure(
            "relayed_vs_wormhole", _ratio(times["wormhole_relayed"], times["relayed"]), "times as fast", 2
        ),
        Figure("peak_mib", peak, "MiB a side", 96, "at most"),
        *(
            Figure(f"{name}_mb_per_s", size / 1e6 / statistics.median(each.seconds for each in runs), "MB/s")
            for name, runs in times.items()
        ),
    ]


def _ratio(slower: list[_Run], faster: list[_Run]) -> float:
    return statistics.median(a.seconds / b.seconds for a, b in zip(slower, faster, strict=True))


def _whisp(origin: str, source: Path, out: Path, *, direct: bool) -> _Run:
    flags = ["--direct"] if direct else []
    sender, receiver = (f"bench-{secrets.token_hex(6)}" for _ in range(2))
    peer = [sys.executable, "-m", "benchmarks.file_peer"]
    return _pair(
        [*peer, "receive", origin, receiver, str(out), *flags],
        [*peer, "send", origin, sender, receiver, str(source), *flags],
        Path.cwd(),
        out.parent / "pycache",
    )


@dataclass(frozen=True, slots=True)
class _Wormhole:
    """magic-wormhole with the addresses of its own two servers."""

    binaries: Path
    mailbox: str
    transit: str

    def move(self, source: Path, out: Path, *, direct: bool) -> _Run:
        common = [str(self.binaries / "wormhole"), "--relay-url", self.mailbox]
        common += ["--transit-helper", self.transit]
        listen = [] if direct else ["--no-listen"]
        code = f"{secrets.randbelow(9000) + 1000}-{secrets.token_hex(4)}"
        target = str(out / source.name)
        return _pair(
            [*common, "receive", *listen, "--hide-progress", "--accept-file", "-o", target, code],
            [*common, "send", *listen, "--hide-progress", "--no-qr", "--code", code, str(source)],
            out,
            out.parent / "pycache",
        )


def _pair(receive: list[str], send: list[str], folder: Path, pycache: Path) -> _Run:
    """Start both commands together; time until both are done, and the larger peak memory of the two.

    Neither side compiles its modules in a measured run: installed programs do not either.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment.setdefault("PYTHONPYCACHEPREFIX", str(pycache))
    null = subprocess.DEVNULL
    started = time.perf_counter()
    processes = [
        subprocess.Popen(command, cwd=folder, env=environment, stdin=null, stdout=null, stderr=null)
        for command in (receive, send)
    ]
    peaks = []
    try:
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise RuntimeError(f"a bench command failed with {process.returncode}")
            peaks.append(usage.ru_maxrss / 1024)
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                process.wait(_COMMAND_SECONDS)
    return _Run(time.perf_counter() - started, max(peaks))


def _check(source: Path, out: Path) -> None:
    arrived = next(out.iterdir())
    if subprocess.run(["cmp", "--silent", source, arrived], check=False).returncode:
        raise RuntimeError("a file arrived damaged")
    arrived.unlink()


def _touch_memory(path: Path, size: int) -> None:
    """Write and delete a file, so that the next one of its size goes to memory the machine has at hand."""
    with path.open("wb") as file:
        for _ in range(size // _MIB):
            file.write(bytes(_MIB))
    path.unlink()


def write_random(path: Path, size: int) -> None:
    """Write `size` bytes that nothing can compress."""
    with path.open("wb") as file:
        for _ in range(size // _MIB):
            file.write(os.urandom(_MIB))


def _install_wormhole() -> Path:
    """Install magic-wormhole and its two servers in an environment of their own, once."""
    if not (_CACHE / "bin" / "wormhole").exists():
        subprocess.run([sys.executable, "-m", "venv", _CACHE], check=True)
        lock = _TOP / "requirements" / "peers.txt"
        pip = [str(_CACHE / "bin" / "pip"), "install", "-qq", "--require-hashes", "-r", str(lock)]
        subprocess.run(pip, check=True)
    return _CACHE / "bin"


@contextmanager
def wormhole_servers(scratch: Path) -> Iterator[_Wormhole]:
    """Run a mailbox and a transit relay on loopback until the block ends."""
    binaries = _install_wormhole()
    mailbox_port, transit_port = _free_port(), _free_port()
    home = scratch / "wormhole-servers"
    home.mkdir()
    twistd = [str(binaries / "twistd"), "--nodaemon", "--logfile", str(home / "log"), "--pidfile"]
    mailbox = [
        "wormhole-mailbox",
        f"--port=tcp:{mailbox_port}:interface=127.0.0.1",
        f"--channel-db={home / 'channel.db'}",
        f"--usage-db={home / 'usage.db'}",
    ]
    transit = ["transitrelay", f"--port=tcp:{transit_port}:interface=127.0.0.1"]
    processes = [
        subprocess.Popen([*twistd, str(home / f"{command[0]}.pid"), *command], cwd=home)
        for command in (mailbox, transit)
    ]
    try:
        for port in (mailbox_port, transit_port):
            _wait_for(port)
        yield _Wormhole(binaries, f"ws://127.0.0.1:{mailbox_port}/v1", f"tcp:127.0.0.1:{transit_port}")
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("a wormhole server did not start")
