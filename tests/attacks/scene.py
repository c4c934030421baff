"""People behind a lying server, and what the attack tests look at afterwards."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.liar import Liar, lying_server

from whisp import Client, ClientEvent, MemoryVault, ServerWarned

RELAY, SIGNAL, RING, ROUTE, LINE, HANG_UP = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
OFFER, ANSWER, DECLINE, CANCEL, CONFIRM = 1, 2, 3, 4, 5


@asynccontextmanager
async def scene(*names: str, **options: Any) -> AsyncIterator[tuple[Liar, list[Client]]]:
    """Run a lying server with these people registered and online."""
    async with AsyncExitStack() as stack:
        liar = await stack.enter_async_context(lying_server())
        clients = []
        for name in names:
            client = await stack.enter_async_context(Client(liar.origin, MemoryVault(), **options))
            await client.register(name)
            await client.login()
            clients.append(client)
        yield liar, clients


def serve_bundles(liar: Liar, *bundles: bytes) -> None:
    """Make the liar answer every bundle request with these."""

    def lie(path: str, request: dict[str, Any], answer: Any) -> Any:
        if path == "/v1/bundles":
            return {"result": "ok", "bundles": [base64.b64encode(bundle).decode() for bundle in bundles]}
        return answer

    liar.answer = lie


async def honest_bundle(client: Client, name: str) -> bytes:
    """Return what an honest server shows for a name."""
    (bundle,) = await client._api.bundles(name)
    return bundle


def vault_of(client: Client) -> bytes:
    """Return all a client keeps."""
    account = client._state.known_account
    return repr((account and account.store().device_list, list(client.book))).encode()


async def warnings_of(client: Client) -> list[ServerWarned]:
    """Return what a client warned of, when it has looked at all that came."""
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        while client._tasks:
            await asyncio.sleep(0.01)
    return [event for event in events_of(client) if isinstance(event, ServerWarned)]


def events_of(client: Client) -> list[ClientEvent]:
    """Return the unread events of a client."""
    return list(client._events._items)
