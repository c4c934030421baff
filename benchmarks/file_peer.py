"""One side of the file bench as a whole command: a burner account, one call, one file, the end.

python -m benchmarks.file_peer send SERVER NAME PEER FILE [--direct]
python -m benchmarks.file_peer receive SERVER NAME FOLDER [--direct]
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from whisp import Client, Ended, FileOffered, IncomingFile, Line, MemoryVault, NotFoundError

_PATIENCE_SECONDS = 10.0


async def send(server: str, name: str, peer: str, file: Path, *, direct: bool) -> None:
    """Register as `name`, ring `peer` until it is there, and send `file` over the line asked for."""
    async with Client(server, MemoryVault(), allow_direct=direct) as client:
        await client.register(name)
        await client.login()
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            try:
                conversation = await client.call(peer)
                break
            except NotFoundError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.02)
        async with conversation:
            if direct and conversation.line is not Line.DIRECT and not await conversation.request_direct():
                sys.exit("no direct line came about")
            outgoing = await conversation.send_file(file)
            drain = asyncio.create_task(_read_until_end(conversation))
            await outgoing.done()
            if conversation.line is not (Line.DIRECT if direct else Line.RELAYED):
                sys.exit(f"the file went over a {conversation.line} line")
            drain.cancel()


async def receive(server: str, name: str, folder: Path, *, direct: bool) -> None:
    """Register as `name`, take the first call, and save its file below `folder`."""
    async with Client(server, MemoryVault(), allow_direct=direct) as client:
        await client.register(name)
        await client.login()
        async for ring in client.rings():
            async with await ring.accept() as conversation:
                file: IncomingFile | None = None
                async for event in conversation:
                    if isinstance(event, FileOffered):
                        file = event.file
                        await file.accept(folder)
                if file is None:
                    sys.exit("no file came")
                await file.done()
            return


async def _read_until_end(conversation: object) -> None:
    async for event in conversation:  # type: ignore[attr-defined]
        if isinstance(event, Ended):
            return


def main(arguments: list[str]) -> None:
    """Run the side named by the first argument."""
    direct = "--direct" in arguments
    words = [word for word in arguments if word != "--direct"]
    match words:
        case ["send", server, name, peer, file]:
            uvloop.run(send(server, name, peer, Path(file), direct=direct))
        case ["receive", server, name, folder]:
            uvloop.run(receive(server, name, Path(folder), direct=direct))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
