"""A server in a process of its own on one core, and clients that cost the other core little.

The clients block and know only as much of the protocol as a bench needs; they sign with real keys, because
the server checks them.
"""

import base64
import http.client
import os
import re
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec
import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from whisp.wire import api
from whisp.wire.certificate import CERTIFICATE_LABEL, Certificate, DeviceKind
from whisp.wire.device_list import DEVICE_LIST_LABEL, FIRST_PREVIOUS, ActiveDevice, DeviceList
from whisp.wire.encoding import lp16
from whisp.wire.frames import (
    Hello,
    PreKeys,
    PreKeysLeft,
    Ring,
    Route,
    Signalled,
    Welcome,
    decode_server_frame,
)
from whisp.wire.ids import AccountId, CallId, DeviceId, PreKeyId, RouteId, Username
from whisp.wire.prekey import KEM_KEY_BYTES, PRE_KEY_LABELS, PreKeyKind, PreKeyRecord
from whisp.wire.signals import KEM_CIPHERTEXT_BYTES, Answer, Confirm, Offer
from whisp.wire.signing import sign
from whisp.wire.version import CURRENT

__all__ = [
    "LOAD_CORE",
    "SERVER_CORE",
    "Device",
    "Server",
    "WebSocket",
    "data_folder",
    "free_port",
    "pinned",
    "place_call",
]

SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
_GREETING: Final = re.compile(rb"http://127\.0\.0\.1:(\d+)")


def pinned(command: list[str]) -> list[str]:
    """Return `command` bound to the server's core; as it is on a machine with one."""
    if (os.cpu_count() or 1) < 2:
        return command
    return ["taskset", "--cpu-list", str(SERVER_CORE), *command]


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A real `python -m whisp.server` with room for many clients of one address."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = psutil.Process(process.pid)
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self._http = http.client.HTTPConnection("127.0.0.1", port)

    @classmethod
    @contextmanager
    def running(cls, data: str = "none", port: int = 0) -> Iterator["Server"]:
        """Run it until the block ends; `data` is its folder."""
        environment = {
            **os.environ,
            "WHISP_PORT": str(port),
            "WHISP_DATA": data,
            "WHISP_RATE_FACTOR": "1000000",
            "WHISP_MAX_CONNECTIONS_PER_ADDRESS": "20000",
        }
        command = pinned([sys.executable, "-m", "whisp.server"])
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                greeting = _GREETING.search(process.stdout.readline())
                if greeting is None:
                    raise RuntimeError("the server did not start")
                yield cls(process, int(greeting[1]))
            finally:
                process.terminate()
                process.wait()

    def post(self, path: str, body: msgspec.Struct, answer: type[Any], token: str | None = None) -> Any:
        """Make a call of the HTTP API; raise RuntimeError with the answer if it fails."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http.request("POST", path, msgspec.json.encode(body), headers)
        response = self._http.getresponse()
        content = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{path} answered {response.status}: {content!r}")
        return msgspec.json.decode(content, type=answer)


@dataclass
class Device:
    """A device of an account of its own."""

    username: Username
    account_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    signing_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    id: DeviceId = field(default_factory=lambda: DeviceId(secrets.token_bytes(16)))
    token: str = ""

    def register(self, server: Server) -> None:
        """Claim the name, and keep the token."""
        certificate, device_list = self._identity()
        challenge = server.post("/v1/challenge", api.ChallengeRequest(self.id), api.Challenge).challenge
        message = (
            lp16(server.origin.encode())
            + self.id
            + lp16(challenge)
            + lp16(self.username.encode())
            + sha256(certificate).digest()
            + sha256(device_list).digest()
        )
        signature = sign(self.signing_key, "register", message)
        request = api.RegisterRequest(self.username, certificate, device_list, challenge, signature)
        self.token = server.post("/v1/accounts", request, api.SessionToken).token

    def records(self, one_time: int) -> tuple[bytes, ...]:
        """Return a signed record and some one-time records. Their keys are noise: no server can tell."""
        kinds = (PreKeyKind.SIGNED, *[PreKeyKind.ONE_TIME] * one_time)
        return tuple(map(self._record, kinds))

    def _identity(self) -> tuple[bytes, bytes]:
        now = int(time.time())
        account = AccountId(self.account_key.public_key().public_bytes_raw())
        signing_key = self.signing_key.public_key().public_bytes_raw()
        fields = (account, self.id, signing_key, os.urandom(32), now, now + 86_400, DeviceKind.NATIVE)
        unsigned = Certificate(*fields, bytes(64)).to_be_signed()
        certificate = unsigned + sign(self.account_key, CERTIFICATE_LABEL, unsigned)
        active = (ActiveDevice(self.id, sha256(certificate).digest()),)
        unsigned = DeviceList(
            account, 1, FIRST_PREVIOUS, now, now + 86_400, active, (), bytes(64)
        ).to_be_signed()
        return certificate, unsigned + sign(self.account_key, DEVICE_LIST_LABEL, unsigned)

    def _record(self, kind: PreKeyKind) -> bytes:
        now = int(time.time())
        keys = os.urandom(32), os.urandom(KEM_KEY_BYTES)
        record = PreKeyRecord(kind, self.id, PreKeyId(os.urandom(8)), now, now + 3600, 1, 1, *keys, bytes(64))
        unsigned = record.to_be_signed()
        return unsigned + sign(self.signing_key, PRE_KEY_LABELS[kind], unsigned)


class WebSocket:
    """A blocking WebSocket that is logged in. `socket` is for whoever wants it faster."""

    def __init__(self, server: Server, device: Device, records: tuple[bytes, ...] | None = None) -> None:
        self.device = device
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /v1/connect HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        if b" 101 " not in head:
            raise RuntimeError(f"no WebSocket: {head[:40]!r}")
        self.send(Hello(CURRENT, device.token).encode())
        if not isinstance(self.frame(), Welcome):
            raise RuntimeError("not welcome")
        self.send(PreKeys(records or device.records(0)).encode())
        if not isinstance(self.frame(), PreKeysLeft):
            raise RuntimeError("cannot be rung")

    @staticmethod
    def masked(message: bytes) -> bytes:
        """Return `message` as a client's frame. The mask is zero; undoing it costs the server the same."""
        size = len(message)
        if size < 126:
            length = bytes((0x80 | size,))
        else:
            length = b"\xfe" + struct.pack(">H", size) if size < 65536 else b"\xff" + struct.pack(">Q", size)
        return b"\x82" + length + bytes(4) + message

    def send(self, message: bytes) -> None:
        """Send one binary message."""
        self.socket.sendall(self.masked(message))

    def settle(self) -> None:
        """Wait until the server has taken everything sent so far; answer its pings."""
        self.socket.sendall(b"\x89\x80" + bytes(4))
        while (head := self._piece()[0]) != 0x8A:
            if head == 0x89:
                self.socket.sendall(b"\x8a\x80" + bytes(4))

    def frame(self) -> Any:
        """Read the next frame of the server."""
        while True:
            head, payload = self._piece()
            if head == 0x88:
                raise RuntimeError(f"closed: {payload!r}")
            if head == 0x82:
                return decode_server_frame(payload)

    def _piece(self) -> tuple[int, bytes]:
        head, length = self._read(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._read(2))
        return head, self._read(length)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise RuntimeError("the server hung up")
            data += more
        return data


def place_call(server: Server, caller: WebSocket, callee: WebSocket) -> tuple[RouteId, RouteId]:
    """Bring two clients into a call; return the caller's and the callee's route."""
    call_id = CallId(os.urandom(16))
    far, near = caller.device.id, callee.device.id
    noise = bytes(32), bytes(KEM_KEY_BYTES), bytes(KEM_CIPHERTEXT_BYTES)
    offer = Offer(1, 1, call_id, near, PreKeyId(b"12345678"), None, *noise, b"id", b"offer").encode()
    request = api.SessionRequest(far, callee.device.username, [offer])
    callee.settle()
    outcome = server.post("/v1/requestSession", request, api.SessionOutcome, caller.device.token)
    if outcome.result != "delivered" or not isinstance(callee.frame(), Ring):
        raise RuntimeError("nobody was rung")
    answer = Answer(1, 1, call_id, near, bytes(32), bytes(KEM_CIPHERTEXT_BYTES), b"answer").encode()
    callee.send(Signalled(far, answer).encode())
    caller.frame()
    caller.send(Signalled(near, Confirm(1, 1, call_id, bytes(32), b"").encode()).encode())
    callee_route, _, caller_route = callee.frame(), callee.frame(), caller.frame()
    if not isinstance(callee_route, Route) or not isinstance(caller_route, Route):
        raise RuntimeError("no routes")
    return caller_route.route, callee_route.route


def data_folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder for a server that is started more than once; in memory where the system has one."""
    memory = "/dev/shm"
    return tempfile.TemporaryDirectory(prefix="whisp-bench-", dir=memory if os.path.isdir(memory) else None)
