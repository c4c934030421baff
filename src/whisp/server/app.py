"""The server put together: storage, accounts, presence, hub and gate, started and stopped as one."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from whisp.server import endpoints
from whisp.server.accounts.challenges import Challenges
from whisp.server.accounts.endpoints import OPERATIONS as ACCOUNT_OPERATIONS
from whisp.server.accounts.endpoints import account_routes
from whisp.server.accounts.records import DeviceRecord
from whisp.server.accounts.service import Accounts
from whisp.server.clock import SteadyClock
from whisp.server.config import Settings
from whisp.server.errors import UnavailableError
from whisp.server.gate.addresses import ClientAddresses
from whisp.server.gate.doorman import Doorman
from whisp.server.gate.gate import Gate
from whisp.server.gate.http_protocol import hardened_protocol
from whisp.server.gate.limits import RateLimits
from whisp.server.gate.lookups import BUNDLE, DISCOVER, REQUEST_SESSION, LookUps
from whisp.server.gate.tokens import Bearer, Tokens
from whisp.server.keys import ServerKeys
from whisp.server.openapi import describe
from whisp.server.operations import Operation
from whisp.server.origins import Origins
from whisp.server.pages.pages import BUILT, Pages
from whisp.server.presence import MemoryPresence
from whisp.server.signalling.door import Door, UpgradeRequest
from whisp.server.signalling.drivers import websocket_options
from whisp.server.signalling.hub import Hub
from whisp.server.storage.database import Database
from whisp.server.turn.credentials import TurnRelays
from whisp.server.turn.endpoints import TURN_CREDENTIALS, turn_routes
from whisp.wire.ids import DeviceId

__all__ = ["OPERATIONS", "Application", "build_app"]

OPERATIONS: Final[tuple[Operation, ...]] = (
    *endpoints.OPERATIONS,
    *ACCOUNT_OPERATIONS,
    DISCOVER,
    BUNDLE,
    REQUEST_SESSION,
    TURN_CREDENTIALS,
)
"""Every call of the HTTP API."""

TIDY_SECONDS: Final = 60.0
"""How often what is out of date is dropped, and what could not be tidied at once is tried again."""

_log = logging.getLogger("whisp.server")


class Application:
    """An ASGI application with its lifespan. The hardening below ASGI is in `uvicorn_options`."""

    def __init__(self, settings: Settings) -> None:
        keys = ServerKeys.in_memory() if settings.data is None else ServerKeys.load(settings.data / "secrets")
        clock = SteadyClock()
        origins = Origins(settings.known_origins)
        self._addresses = ClientAddresses(settings.trusted_proxies)
        self._database = Database(settings.database_url)
        self._clock = clock
        self._tidier: asyncio.Task[None] | None = None
        self.rates = RateLimits(settings.rate_factor, time.monotonic)
        self.presence = MemoryPresence()
        self.tokens = Tokens(keys.tokens, origins.all, settings.token_seconds, clock, self._find)
        self.hub = Hub(
            _HelloTokens(self.tokens),
            self,
            self.presence,
            max_connections=settings.max_connections,
            max_connections_per_address=settings.max_connections_per_address,
        )
        self.accounts = Accounts(self._database, self.tokens, Challenges(clock), self.hub, keys.names)
        self._turn = TurnRelays(settings.turn_urls, settings.stun_urls, settings.read_turn_secret(), clock)
        self.doorman = Doorman(
            settings.max_http_connections,
            settings.max_http_connections_per_address,
            self._addresses.is_proxy,
        )
        self._door = Door(
            self.hub, origins.is_allowed_host, origins.is_allowed_origin, self._websocket_address
        )
        self._websocket_options = websocket_options(settings.websocket, self._door)
        self._sockets = _websocket_endpoint(settings, self._door)
        self._gate = Gate(
            OPERATIONS,
            LookUps(self.presence, self.hub).fast_paths,
            self._api(),
            origins=origins,
            addresses=self._addresses,
            tokens=self.tokens,
            rates=self.rates,
            pages=Pages.read(BUILT if settings.web_app == "built" else settings.web_app),
        )

    @property
    def uvicorn_options(self) -> dict[str, Any]:
        """The arguments of `uvicorn.Config` that make it as strict as the application expects."""
        return {
            **self._websocket_options,
            "http": hardened_protocol(self.doorman),
            "interface": "asgi3",
            "lifespan": "on",
            "proxy_headers": False,
            "server_header": False,
            "access_log": False,
            "log_config": None,
        }

    def counts(self) -> Mapping[str, int]:
        """Return how much of everything there is. No names."""
        return {**self.hub.counts(), "http_connections": len(self.doorman), "online": len(self.presence)}

    async def start(self) -> None:
        """Open storage and begin to keep time, in the running loop. Raises StartError."""
        await self._database.start()
        await self.accounts.remember_revoked_tokens(self._clock())
        self.hub.start()
        self.doorman.start()
        self._tidier = asyncio.create_task(self._tidy())

    async def stop(self) -> None:
        """Close every socket with 1012, and storage with nothing left in its log."""
        if self._tidier is not None:
            self._tidier.cancel()
        await self.hub.stop()
        self.doorman.stop()
        await self._database.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one WebSocket, or the lifespan."""
        if scope["type"] == "http":
            await self._gate(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._sockets is not None:
            await self._sockets(scope, receive, send)

    async def record(self, device: DeviceId) -> DeviceRecord | None:
        """Return what is stored of a device, for the hub (`DeviceDirectory`)."""
        return await self.accounts.record(device)

    async def _find(self, device: DeviceId) -> DeviceRecord | None:
        return await self.accounts.record(device)

    def _api(self) -> FastAPI:
        api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        api.include_router(endpoints.own_routes(describe(OPERATIONS), self._database.is_ready))
        api.include_router(account_routes(self.accounts))
        api.include_router(turn_routes(self._turn, self.hub))
        return api

    def _websocket_address(self, peer: str, request: UpgradeRequest) -> str:
        return self._addresses.of(peer, request.all("x-forwarded-for"))

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            await self.rates.sweep()
            self.tokens.sweep()
            try:
                await self.accounts.forget_dead_tokens(self._clock())
                await self._database.tidy()
            except UnavailableError:
                _log.warning("storage could not be tidied; trying again in a minute")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _websocket_endpoint(settings: Settings, door: Door) -> ASGIApp | None:
    """Return what serves WebSockets that come through ASGI; with picows none do."""
    if settings.websocket == "picows":
        return None
    from whisp.server.signalling.asgi_driver import WebSocketEndpoint

    return WebSocketEndpoint(door)


class _HelloTokens:
    """The hub's view of tokens. It passes the wall clock, which can jump; tokens have their own."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def verify(self, token: str, now: float) -> Bearer:
        """Return whose token it is. Raises UnauthorizedError."""
        return self._tokens.verify(token)


def build_app(settings: Settings) -> Application:
    """Return the application for `settings`. Raises StartError if one of them cannot be used."""
    return Application(settings)
