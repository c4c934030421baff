"""`./bench relay`: the blind relay against nats-server, frames per second of the server's own CPU time.

Pairs of clients throw 200-byte frames back and forth, with 1 and with 16 under way in each pair. Both servers
have the same single core and are measured in turns within one run; the load comes from the other core and
treats both alike: it counts bytes and answers each frame with one made in advance. Frames per CPU-second, not
per second, so that the load generator cannot be the limit that is measured.
"""

import os
import select
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psutil

from benchmarks.figures import Figure
from benchmarks.live import LOAD_CORE, Device, Server, WebSocket, free_port, pinned, place_call
from whisp.wire.frames import RELAY_HEADER_BYTES, Relay
from whisp.wire.ids import RouteId, Username

__all__ = ["run"]

PAIRS: Final = 32
PAYLOAD_BYTES: Final = 200
BARS: Final = {1: 0.8, 16: 0.6}
"""What share of nats-server's frames per CPU-second the relay must reach, by frames under way."""

_SERVER_HEADER_BYTES: Final = 4
"""A WebSocket header from the server, for messages of 126 bytes to 64 KiB."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One end of a pair: what it sends, and how long what it gets is."""

    socket: socket.socket
    frame: bytes
    incoming_bytes: int


def run(quick: bool) -> list[Figure]:
    """Measure both servers in turns; report the median of the ratios, and the medians behind it."""
    rounds, seconds = (3, 1.0) if quick else (7, 2.0)
    affinity = os.sched_getaffinity(0)
    figures: list[Figure] = []
    with Server.running() as server, _nats() as (nats, nats_port):
        whisp_sides, nats_sides = _whisp_sides(server), _nats_sides(nats_port)
        try:
            os.sched_setaffinity(0, affinity & {LOAD_CORE} or affinity)
            for under_way, bar in BARS.items():
                ours, theirs = [], []
                for _ in range(rounds):
                    ours.append(_frames_per_cpu_second(whisp_sides, under_way, seconds, server.process))
                    theirs.append(_frames_per_cpu_second(nats_sides, under_way, seconds, nats))
                ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
                figures += [
                    Figure(f"relay_vs_nats_{under_way}", round(ratio, 3), "x", bar),
                    Figure(f"relay_{under_way}", round(statistics.median(ours)), "frames/CPU-s"),
                    Figure(f"nats_{under_way}", round(statistics.median(theirs)), "frames/CPU-s"),
                ]
        finally:
            os.sched_setaffinity(0, affinity)
            for side in (*whisp_sides, *nats_sides):
                side.socket.close()
    return figures


def _whisp_sides(server: Server) -> list[_Side]:
    sides = []
    for pair in range(PAIRS):
        clients = []
        for end in "ab":
            device = Device(Username(f"bench-{end}-{pair}"))
            device.register(server)
            clients.append(WebSocket(server, device))
        size = _SERVER_HEADER_BYTES + RELAY_HEADER_BYTES + PAYLOAD_BYTES
        for client, route in zip(clients, place_call(server, *clients), strict=True):
            frame = WebSocket.masked(Relay(RouteId(route), bytes(PAYLOAD_BYTES)).encode())
            sides.append(_Side(client.socket, frame, size))
    return sides


@contextmanager
def _nats() -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    command = pinned([_nats_server(), "--addr", "127.0.0.1", "--port", str(port), "--log", os.devnull])
    environment = {**os.environ, "GOMAXPROCS": "1"}
    with subprocess.Popen(command, env=environment) as process:
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
            process.wait()


def _nats_server() -> str:
    """Return where nats-server is; install it where that is allowed."""
    path = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "nats-server"], check=True)
        path = shutil.which("nats-server", path="/usr/sbin:/usr/bin")
    if path is None:
        raise SystemExit("The relay is measured against nats-server. Install it: apt-get install nats-server")
    return path


def _nats_sides(port: int) -> list[_Side]:
    sides = []
    for pair in range(PAIRS):
        subjects = [b"%c.%04d" % (end, pair) for end in b"ab"]
        for own, other in (subjects, subjects[::-1]):
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not client.recv(4096).endswith(b"\r\n"):
                pass  # INFO
            client.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB %s 1\r\nPING\r\n' % own)
            while not client.recv(4096).endswith(b"PONG\r\n"):
                pass
            frame = b"PUB %s %d\r\n%b\r\n" % (other, PAYLOAD_BYTES, bytes(PAYLOAD_BYTES))
            message = len(b"MSG %s 1 %d\r\n\r\n" % (own, PAYLOAD_BYTES)) + PAYLOAD_BYTES
            sides.append(_Side(client, frame, message))
    return sides


def _frames_per_cpu_second(
    sides: list[_Side], under_way: int, seconds: float, process: psutil.Process
) -> float:
    """Keep `under_way` frames going in each pair; return frames relayed per second of the server's CPU."""
    poll = select.epoll()
    by_fd = {side.socket.fileno(): side for side in sides}
    partial = dict.fromkeys(by_fd, 0)
    answers = {fd: [side.frame * count for count in range(under_way + 1)] for fd, side in by_fd.items()}
    buffer = bytearray(65_536)
    for fd, side in by_fd.items():
        side.socket.setblocking(False)
        poll.register(fd, select.EPOLLIN)
    for side in sides[::2]:
        side.socket.send(side.frame * under_way)
    relayed = relayed_before = 0
    cpu_before = 0.0
    start = time.perf_counter() + 0.2  # warm caches, grown buffers
    end = 0.0
    while True:
        for fd, _ in poll.poll(1):
            side = by_fd[fd]
            received = side.socket.recv_into(buffer)
            if not received:
                raise RuntimeError("a server hung up")
            count, partial[fd] = divmod(partial[fd] + received, side.incoming_bytes)
            if count:
                relayed += count
                side.socket.send(answers[fd][count])
        now = time.perf_counter()
        if not end and now >= start:
            end, relayed_before, cpu_before = now + seconds, relayed, _cpu_seconds(process)
        elif end and now >= end:
            break
    result = (relayed - relayed_before) / (_cpu_seconds(process) - cpu_before)
    while poll.poll(0.1):  # let what is under way come to rest
        for fd, _ in poll.poll(0):
            by_fd[fd].socket.recv_into(buffer)
    for side in sides:
        side.socket.setblocking(True)
    return result


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
