"""Browser and Python: the same call from either side, in both directions."""

import asyncio
import os
from pathlib import Path

from playwright.async_api import expect
from tests.e2e.people import next_of
from tests.web.conftest import Meet
from tests.web.person import Person

from whisp import Client, Conversation, Ended, FileOffered, MemoryVault, TextReceived
from whisp.testing import ServerProcess


async def talk(page: Person, name: str, conversation: Conversation, folder: Path) -> None:
    """Say something in both directions, and send a file each way."""
    await page.is_in_call(name)
    await page.write(name, "Hello from the page — ünï✓")
    assert (await next_of(conversation, TextReceived)).text == "Hello from the page — ünï✓"
    sent = await conversation.send_text("Hello from Python — 你好")
    assert sent
    await page.reads("Hello from Python — 你好")

    content = os.urandom(300_000)
    await page.offer({"name": "to-python.bin", "mimeType": "text/plain", "buffer": content})
    offered = await next_of(conversation, FileOffered)
    await offered.file.accept(folder)
    saved = await offered.file.done()
    assert Path(str(saved)).read_bytes() == content

    (folder / "to-page.bin").write_bytes(content)
    outgoing = await conversation.send_file(folder / "to-page.bin")
    await page.take("to-page.bin")
    await outgoing.done()
    assert await page.save("to-page.bin") == content


async def test_a_page_calls_python(meet: Meet, server: ServerProcess, tmp_path: Path) -> None:
    mira = await meet("mira")
    await mira.register()
    async with Client(server.origin, MemoryVault()) as odile:
        await odile.register(f"{mira.name}-py")
        await odile.login()
        await mira.ring(odile.username)
        async for ring in odile.rings():
            assert ring.caller == mira.name
            conversation = await ring.accept()
            break
        async with conversation:
            await talk(mira, odile.username, conversation, tmp_path)
            await mira.hang_up()
            await mira.is_gone()
            await next_of(conversation, Ended)


async def test_python_calls_a_page(meet: Meet, server: ServerProcess, tmp_path: Path) -> None:
    mira = await meet("mira")
    await mira.register()
    async with Client(server.origin, MemoryVault()) as odile:
        await odile.register(f"{mira.name}-py")
        await odile.login()
        calling = asyncio.create_task(odile.call(mira.name))
        await mira.accept(odile.username)
        async with await calling as conversation:
            await talk(mira, odile.username, conversation, tmp_path)
            shown = await mira.page.get_by_text(conversation.session_code).count()
            assert shown > 0  # both sides can compare the code of this call
            await conversation.hang_up()
        await mira.is_gone()
        await expect(mira.page.get_by_text("Says it has wiped too")).to_be_visible()
