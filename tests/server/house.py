"""A whole server on a free port, people with accounts there, and an HTTP client that can send anything."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import Device

from whisp.server.accounts import proofs
from whisp.server.app import Application
from whisp.server.config import Settings
from whisp.server.serve import running
from whisp.wire import api
from whisp.wire.certificate import Certificate
from whisp.wire.device_list import DEVICE_LIST_LABEL, ActiveDevice, DeviceList, RevokedDevice
from whisp.wire.frames import Hello, PreKeys, PreKeysLeft, Welcome
from whisp.wire.ids import Username
from whisp.wire.signing import sign
from whisp.wire.version import CURRENT

_Answer = TypeVar("_Answer", bound=msgspec.Struct)

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Reply:
    """An HTTP answer as it came: headers in order, names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        """Return a header's value."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"two {name} headers"
        return values[0] if values else None

    @property
    def error(self) -> str | None:
        """The error code, None if the answer is not one. Fails on any other shape."""
        if self.status < 400:
            return None
        return msgspec.json.decode(self.body, type=api.Error).error.value

    def as_(self, kind: type[_Answer]) -> _Answer:
        """Return the body of a 2xx answer."""
        assert self.status in (200, 201), (self.status, self.body)
        return msgspec.json.decode(self.body, type=kind)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything a client can compare: all but the date."""
        return self.status, tuple(pair for pair in self.headers if pair[0] != "date"), self.body


class Http:
    """One HTTP connection without manners."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.port = port
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, port: int, source: str = "127.0.0.1") -> Self:
        """Connect, from any address of this machine."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        return cls(port, reader, writer)

    def head(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str | None] | None = None,
        token: str | None = None,
    ) -> bytes:
        """Return a request's bytes. A header of None is left out."""
        fields: dict[str, str | None] = {
            "Host": f"127.0.0.1:{self.port}",
            **(JSON if body else {}),
            **({"Content-Length": str(len(body))} if body else {}),
            **({"Authorization": f"Bearer {token}"} if token is not None else {}),
            **(headers or {}),
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items() if v is not None)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    async def ask(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | bytes | str | dict[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """Send a request and return its answer."""
        if body is None:
            encoded = b""
        elif isinstance(body, str | bytes):
            encoded = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        else:
            encoded = msgspec.json.encode(body)
        self.writer.write(self.head(method, path, encoded, headers, token))
        return await self.reply(has_body=method != "HEAD")

    async def reply(self, timeout: float = 10.0, *, has_body: bool = True) -> Reply:
        """Read one answer. Raises IncompleteReadError when the connection ends before."""
        async with asyncio.timeout(timeout):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head[:-4].split("\r\n")
            headers = tuple((k.lower(), v.strip()) for k, _, v in (line.partition(":") for line in lines))
            length = int(dict(headers).get("content-length", "0")) if has_body else 0
            return Reply(int(status_line.split()[1]), headers, await self.reader.readexactly(length))

    async def is_closed(self, timeout: float = 5.0) -> bool:
        """Say whether the server closes within that time, after whatever it still sends."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(timeout):
                await self.reader.read()
        return True

    async def close(self) -> None:
        """Close."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@dataclass
class Person:
    """Somebody with one device and an account."""

    http: Http
    device: Device
    token: str = ""
    sockets: list[RawClient] = field(default_factory=list)

    @property
    def name(self) -> Username:
        """The username."""
        return self.device.username

    @property
    def origin(self) -> str:
        """What this person dials, and signs."""
        return f"http://127.0.0.1:{self.http.port}"

    async def challenge(self, device: Device | None = None) -> bytes:
        """Ask for a challenge."""
        request = api.ChallengeRequest((device or self.device).device)
        return (await self.http.ask("POST", "/v1/challenge", request)).as_(api.Challenge).challenge

    async def registration(
        self, name: str | None = None, origin: str | None = None, challenge: bytes | None = None
    ) -> api.RegisterRequest:
        """Return a registration that holds, unless told otherwise."""
        device = self.device
        challenge = challenge if challenge is not None else await self.challenge()
        message = proofs.registration_message(
            origin or self.origin,
            device.device,
            challenge,
            Username((name or self.name).lower()),
            device.certificate,
            device.device_list,
        )
        signature = sign(device.signing_key, "register", message)
        return api.RegisterRequest(
            name or self.name, device.certificate, device.device_list, challenge, signature
        )

    async def register(self) -> Self:
        """Make the account."""
        reply = await self.http.ask("POST", "/v1/accounts", await self.registration())
        self.token = reply.as_(api.SessionToken).token
        assert reply.status == 201
        return self

    async def log_in_request(
        self, device: Device | None = None, challenge: bytes | None = None, origin: str | None = None
    ) -> api.LoginRequest:
        """Return a log-in that holds, unless told otherwise."""
        device = device or self.device
        challenge = challenge if challenge is not None else await self.challenge(device)
        message = proofs.login_message(origin or self.origin, device.device, challenge)
        return api.LoginRequest(device.device, challenge, sign(device.signing_key, "login", message))

    async def log_in(self, device: Device | None = None) -> str:
        """Return a fresh token."""
        reply = await self.http.ask("POST", "/v1/login", await self.log_in_request(device))
        return reply.as_(api.SessionToken).token

    async def online(self, device: Device | None = None, token: str | None = None) -> RawClient:
        """Open a WebSocket and go online."""
        device = device or self.device
        client = await RawClient.dial(self.http.port)
        client.device = device
        self.sockets.append(client)
        await client.send(Hello(CURRENT, token or self.token).encode())
        assert await client.frame() == Welcome(CURRENT)
        await client.send(PreKeys(device.records()).encode())
        assert isinstance(await client.frame(), PreKeysLeft)
        return client

    async def deletion(self, key: Ed25519PrivateKey | None = None) -> api.DeleteAccountRequest:
        """Return a request to erase the account."""
        challenge = await self.challenge()
        message = proofs.deletion_message(self.origin, challenge, self.name)
        signature = sign(key or self.device.account_key, "account-delete", message)
        return api.DeleteAccountRequest(challenge, signature)

    async def erase(self) -> None:
        """Erase the account."""
        reply = await self.http.ask("DELETE", "/v1/account", await self.deletion(), token=self.token)
        assert reply.as_(api.Done)

    async def ask(self, method: str, path: str, body: Any = None) -> Reply:
        """Ask with this person's token."""
        return await self.http.ask(method, path, body, token=self.token)

    async def discover(self, name: str) -> Reply:
        """Look a name up."""
        return await self.ask("POST", "/v1/discover", api.DiscoverRequest(name))


def another_device(person: Person) -> Device:
    """Return a second device of a person's account, not yet on the list."""
    return Device(person.device.username, person.device.account_key)


def next_list(
    person: Person,
    current: bytes,
    active: Sequence[Device],
    gone: Sequence[Device] = (),
    key: Ed25519PrivateKey | None = None,
    **changes: Any,
) -> api.DeviceListUpdate:
    """Return the list after `current`, signed; `changes` replace fields before that."""
    before = DeviceList.decode(current)
    now = int(time.time())
    values: dict[str, Any] = {
        "account": before.account,
        "version": before.version + 1,
        "previous_digest": before.digest(),
        "issued": now,
        "expires": now + 86_400,
        "active": tuple(
            ActiveDevice(each.device, Certificate.decode(each.certificate).digest()) for each in active
        ),
        "revoked": (*before.revoked, *(RevokedDevice(each.device, now, 1) for each in gone)),
        "signature": bytes(64),
        **changes,
    }
    unsigned = DeviceList(**values)
    signature = sign(key or person.device.account_key, DEVICE_LIST_LABEL, unsigned.to_be_signed())
    return api.DeviceListUpdate(unsigned.to_be_signed() + signature, [each.certificate for each in active])


class House:
    """A running server and its visitors."""

    def __init__(self, application: Application, port: int) -> None:
        self.application = application
        self.port = port
        self._open: list[Http] = []
        self._sockets: list[RawClient] = []

    async def dial(self, source: str = "127.0.0.1") -> Http:
        """Open an HTTP connection."""
        http = await Http.dial(self.port, source)
        self._open.append(http)
        return http

    async def stranger(self, name: str) -> Person:
        """Return somebody without an account."""
        return Person(await self.dial(), Device(Username(name)), sockets=self._sockets)

    async def person(self, name: str) -> Person:
        """Return somebody with an account."""
        return await (await self.stranger(name)).register()

    async def close(self) -> None:
        """Close what the test left open."""
        for http in self._open:
            await http.close()
        for socket in self._sockets:
            await socket.disconnect()


@contextlib.asynccontextmanager
async def house(**settings: Any) -> AsyncIterator[House]:
    """Run a server in this loop, with nothing on disk and no pages unless told so."""
    chosen = {"port": 0, "data": None, "origins": (), "web_app": None, **settings}
    async with running(Settings(**chosen)) as server:
        rooms = House(server.application, server.port)
        try:
            yield rooms
        finally:
            await rooms.close()
