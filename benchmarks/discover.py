"""`./bench discover`: look-ups through the whole gate, per CPU-second of the server.

A real server process on one core; this process, on another, asks over kept connections with a valid token,
in turn for a name that is online and for one that nobody has. Rates are raised so that they are counted but
never reached.
"""

import asyncio
import os
import time
from itertools import cycle
from typing import Any, Final, TypeVar
from urllib.request import Request, urlopen

import msgspec
import uvloop

from benchmarks.figures import Figure
from benchmarks.measure import cpu_seconds, pinned
from whisp import Client, MemoryVault
from whisp.core.identity import AccountKey, DeviceKeys, issue_certificate, issue_device_list
from whisp.server.accounts.proofs import registration_message
from whisp.testing import running_server_process
from whisp.wire import api
from whisp.wire.certificate import DeviceKind
from whisp.wire.username import canonical

__all__ = ["run"]

_CONNECTIONS: Final = 32
_BAR: Final = 9000
_RATE_FACTOR: Final = 1e9
_NAMES: Final = ("sefa", "nobody-has-this-name")
_ANSWERS: Final = (b'{"result":"ok","online":true}', b'{"result":"not_found"}')

_Answer = TypeVar("_Answer", bound=msgspec.Struct)


def run(quick: bool) -> list[Figure]:
    """Ask for 10 seconds (quick: 3); report requests per CPU-second, and per second of the clock."""
    return uvloop.run(_run(3.0 if quick else 10.0))


async def _run(seconds: float) -> list[Figure]:
    cores = sorted(os.sched_getaffinity(0))
    async with running_server_process(rate_factor=_RATE_FACTOR) as server:
        with pinned(server.pid, {cores[0]}), pinned(0, {cores[-1]}):
            async with Client(server.origin, MemoryVault()) as found:
                await found.register(_NAMES[0])
                await found.login()
                load = _Load(server.origin, _register(server.origin, "odile"))
                await load.run(0.5)
                cpu, started = cpu_seconds(server.pid), time.perf_counter()
                answered = await load.run(seconds)
                cpu, elapsed = cpu_seconds(server.pid) - cpu, time.perf_counter() - started
    return [
        Figure("requests_per_cpu_second", answered / cpu, "1/CPU-s", _BAR),
        Figure("requests_per_second", answered / elapsed, "1/s"),
        Figure("server_core_in_use", 100 * cpu / elapsed, "%"),
    ]


class _Load:
    """Asks over `_CONNECTIONS` kept connections, each as soon as it has its answer."""

    def __init__(self, origin: str, token: str) -> None:
        scheme_less = origin.partition("//")[2]
        self._host, _, port = scheme_less.partition(":")
        self._port = int(port)
        bodies = [msgspec.json.encode(api.DiscoverRequest(name)) for name in _NAMES]
        self.requests = [
            (
                f"POST /v1/discover HTTP/1.1\r\nHost: {scheme_less}\r\nAccept: application/json\r\n"
                f"User-Agent: whisp\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
            for body in bodies
        ]

    async def run(self, seconds: float) -> int:
        """Ask for so long; return how many answers came, every one of them as expected."""
        loop = asyncio.get_running_loop()
        askers = [
            (await loop.create_connection(lambda: _Asker(self.requests), self._host, self._port))[1]
            for _ in range(_CONNECTIONS)
        ]
        await asyncio.sleep(seconds)
        for asker in askers:
            asker.transport.abort()
            if asker.surprise:
                raise RuntimeError(f"an unexpected answer: {asker.surprise[-80:]!r}")
        return sum(asker.answered for asker in askers)


class _Asker(asyncio.Protocol):
    """One connection. An answer is short enough to come in one piece."""

    transport: Any

    def __init__(self, requests: list[bytes]) -> None:
        self.answered = 0
        self.surprise = b""
        self._turns = cycle(zip(requests, _ANSWERS, strict=True))
        self._expected = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        if not data.endswith(self._expected):
            self.surprise = data
            return
        self.answered += 1
        self._ask()

    def _ask(self) -> None:
        request, self._expected = next(self._turns)
        self.transport.write(request)


def _register(origin: str, name: str) -> str:
    """Make an account, without its ever going online, and return a token of it."""
    keys, account, now = DeviceKeys.generate(), AccountKey.generate(), time.time()
    certificate = issue_certificate(account, keys.public, DeviceKind.BOT, now)
    encoded = certificate.encode()
    device_list = issue_device_list(account, (certificate,), now, None).encode()
    challenge = _post(f"{origin}/v1/challenge", api.ChallengeRequest(keys.device), api.Challenge).challenge
    message = registration_message(origin, keys.device, challenge, canonical(name), encoded, device_list)
    signature = keys.sign("register", message)
    request = api.RegisterRequest(name, encoded, device_list, challenge, signature)
    return _post(f"{origin}/v1/accounts", request, api.SessionToken).token


def _post(url: str, body: msgspec.Struct, answer: type[_Answer]) -> _Answer:
    request = Request(url, msgspec.json.encode(body), {"Content-Type": "application/json"})
    with urlopen(request) as response:
        return msgspec.json.decode(response.read(), type=answer)
