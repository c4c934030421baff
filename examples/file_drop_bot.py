"""A bot that takes files from anyone who rings, and keeps them in one folder.

python examples/file_drop_bot.py SERVER NAME FOLDER
"""

import asyncio
import sys
from pathlib import Path

from whisp import (
    Client,
    Conversation,
    DeviceKind,
    FileCompleted,
    FileOffered,
    FileTransferError,
    MemoryVault,
    RingOverError,
)

MAX_FILE_BYTES = 1 << 30


async def converse(conversation: Conversation, folder: Path) -> None:
    """Save every file small enough; say where the limit is, and when one has arrived."""
    async with conversation:
        await conversation.send_text("Send files. I keep them until my host deletes them.")
        async for event in conversation:
            match event:
                case FileOffered(file) if file.size > MAX_FILE_BYTES:
                    await file.decline()
                    await conversation.send_text("That file is too large for me.")
                case FileOffered(file):
                    try:
                        await file.accept(folder)
                    except FileTransferError:
                        await conversation.send_text("I cannot save files now.")
                case FileCompleted(path=Path()):
                    await conversation.send_text("I have it.")
                case _:
                    pass


async def main(server: str, name: str, folder: Path) -> None:
    """Claim `name` on `server` for as long as this program runs, and take calls side by side."""
    async with Client(server, MemoryVault(), kind=DeviceKind.BOT) as client, asyncio.TaskGroup() as calls:
        await client.register(name)
        await client.login()
        print(f"{name} is listening.", flush=True)
        async for ring in client.rings():
            try:
                calls.create_task(converse(await ring.accept(), folder))
            except RingOverError:
                continue  # the caller gave up first


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    drop = Path(sys.argv[3])
    if not drop.is_dir():
        sys.exit("The folder does not exist.")
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2], drop))
    except KeyboardInterrupt:
        print("Everything is gone.")
