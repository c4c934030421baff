"""People for end-to-end tests: real clients on a real server in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from whisp import (
    Client,
    ConnectionState,
    Conversation,
    ConversationEvent,
    Ended,
    MemoryVault,
    Ring,
    Vault,
)
from whisp.testing import LocalServer, running_server

_Event = TypeVar("_Event")
_Result = TypeVar("_Result")


@asynccontextmanager
async def people(*names: str, **options: Any) -> AsyncIterator[tuple[LocalServer, list[Client]]]:
    """Run a server with these people registered and online; options go to every client."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server())
        clients = [await stack.enter_async_context(person(server, name, **options)) for name in names]
        yield server, clients


@asynccontextmanager
async def person(
    server: LocalServer, name: str, vault: Vault | None = None, **options: Any
) -> AsyncIterator[Client]:
    """One more person, registered and online."""
    async with Client(server.origin, vault or MemoryVault(), **options) as client:
        if not client.is_registered:
            await client.register(name)
        await client.login()
        yield client


async def next_ring(client: Client) -> Ring:
    """Return the next ring."""
    async with asyncio.timeout(20):
        async for ring in client.rings():
            return ring
    raise AssertionError("the client closed")


async def connect(caller: Client, callee: Client) -> tuple[Conversation, Conversation]:
    """Call and accept; return both ends."""
    calling = asyncio.create_task(caller.call(callee.username))
    ring = await next_ring(callee)
    accepted = await ring.accept()
    async with asyncio.timeout(20):
        return await calling, accepted


async def next_of(conversation: Conversation, kind: type[_Event]) -> _Event:
    """Return the next event of a kind, dropping others."""
    async with asyncio.timeout(8):
        while True:
            event: ConversationEvent = await conversation.receive()
            if isinstance(event, kind):
                return event
            assert not isinstance(event, Ended), event


async def soon(condition: Any, seconds: float = 5.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def in_time(awaitable: Awaitable[_Result], seconds: float = 8.0) -> _Result:
    """Await with a limit."""
    async with asyncio.timeout(seconds):
        return await awaitable


def state_of(client: Client) -> ConnectionState:
    """Return the state as it is now: type checkers remember what an attribute was compared with."""
    return client.state


def is_idle(*clients: Client) -> bool:
    """Say whether none of them talks."""
    return not any(client.conversations for client in clients)
