"""The SDK for a page to talk to, `python.py origin name`: takes one ring, answers texts, sends files back."""

import asyncio
import sys
import tempfile
from pathlib import Path

from whisp import Client, Ended, FileOffered, LineChanged, MemoryVault, TextReceived


async def main(origin: str, name: str) -> None:
    async with Client(origin, MemoryVault(), allow_direct=True) as client:
        await client.register(name)
        await client.login()
        sys.stdout.write("online\n")
        sys.stdout.flush()
        async for ring in client.rings():
            conversation = await ring.accept()
            break
        with tempfile.TemporaryDirectory() as folder:
            async for event in conversation:
                match event:
                    case TextReceived():
                        await conversation.send_text(event.text.upper())
                    case FileOffered():
                        await event.file.accept(Path(folder))
                        await conversation.send_file(await event.file.done(), name="back.bin")
                    case LineChanged() | Ended():
                        sys.stdout.write(f"{event}\n")
                        sys.stdout.flush()
                    case _:
                        pass


asyncio.run(main(*sys.argv[1:]))
