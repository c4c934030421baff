"""A bot that answers every ring and says everything back.

python examples/echo_bot.py SERVER NAME
"""

import asyncio
import sys

from whisp import Client, Conversation, DeviceKind, MemoryVault, RingOverError, TextReceived


async def converse(conversation: Conversation) -> None:
    """Say back each text until the other side hangs up."""
    async with conversation:
        async for event in conversation:
            if isinstance(event, TextReceived):
                await conversation.mark_read(event.id)
                await conversation.send_text(event.text)


async def main(server: str, name: str) -> None:
    """Claim `name` on `server` for as long as this program runs, and take calls side by side."""
    async with Client(server, MemoryVault(), kind=DeviceKind.BOT) as client, asyncio.TaskGroup() as calls:
        await client.register(name)
        await client.login()
        print(f"{name} is listening.", flush=True)
        async for ring in client.rings():
            try:
                calls.create_task(converse(await ring.accept()))
            except RingOverError:
                continue  # the caller gave up first
        # The account lives in memory only: when the program ends, nobody can be this bot again.


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2]))
    except KeyboardInterrupt:
        print("Everything is gone.")
