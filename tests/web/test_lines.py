"""Every line between two pages, and between a page and Python: texts and files cross it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser
from tests.attacks.server_process import ServerProcess as WebServer
from tests.e2e.people import next_of, next_ring, soon
from tests.web.conftest import Meet
from tests.web.person import Person
from tests.web.rtc import NO_WEBRTC, Connection, connections, line_of, note_webrtc, ways

from whisp import Client, Conversation, DirectRequested, FileOffered, Line, MemoryVault, TextReceived
from whisp.client.transport.rtc import RtcTransport
from whisp.testing import ServerProcess

_MIB: Final = 1024 * 1024


async def between_pages(one: Person, two: Person) -> None:
    """Say something and give a file, each way."""
    for near, far in ((one, two), (two, one)):
        text = f"{near.name} says {os.urandom(4).hex()}"
        await near.write(far.name, text)
        await far.reads(text)
        name, content = f"{os.urandom(4).hex()}.bin", os.urandom(_MIB)
        await near.offer({"name": name, "mimeType": "application/octet-stream", "buffer": content})
        await far.take(name)
        assert await far.save(name) == content


async def with_python(page: Person, name: str, conversation: Conversation, folder: Path) -> None:
    """Say something and give a file, each way."""
    text, content = os.urandom(4).hex(), os.urandom(_MIB)
    await page.write(name, text)
    assert (await next_of(conversation, TextReceived)).text == text
    await conversation.send_text(f"back: {text}")
    await page.reads(f"back: {text}")
    await page.offer({"name": f"{text}.bin", "mimeType": "application/octet-stream", "buffer": content})
    offered = await next_of(conversation, FileOffered)
    (folder / "in").mkdir(exist_ok=True)
    await offered.file.accept(folder / "in")
    saved = await offered.file.done()
    assert saved is not None
    assert saved.read_bytes() == content
    back = folder / f"back-{text}.bin"
    back.write_bytes(content)
    outgoing = await conversation.send_file(back)
    await page.take(back.name)
    await outgoing.done()
    assert await page.save(back.name) == content


async def two(meet: Meet, **options: object) -> tuple[Person, Person]:
    mira, odile = await meet("mira", **options), await meet("odile", **options)
    await note_webrtc(mira, odile)
    return mira, odile


@asynccontextmanager
async def page_and_python(mira: Person, *, rings: bool) -> AsyncIterator[tuple[str, Conversation]]:
    """Bring a page and a client of the SDK into a call: the client's name, and its end."""
    await mira.register()
    async with Client(mira.origin, MemoryVault()) as odile:
        await odile.register(f"{mira.name}-py")
        await odile.login()
        if rings:
            await mira.ring(odile.username)
            conversation = await (await next_ring(odile)).accept()
        else:
            calling = asyncio.create_task(odile.call(mira.name))
            await mira.accept(odile.username)
            conversation = await calling
        async with conversation:
            await mira.is_in_call(odile.username)
            yield odile.username, conversation


def is_only_relay(line: Connection) -> None:
    """Check that a page has made, named and used nothing but addresses of the TURN server."""
    assert ways(line) == {"relay"}
    assert set(line.remote) == {"relay"}
    assert line.pair == ["relay", "relay"]
    assert [url.split(":")[0] for url in line.servers] == ["turn"]


def line_of_python(conversation: Conversation) -> RtcTransport | None:
    transport = conversation._lines.transport
    return transport if isinstance(transport, RtcTransport) else None


async def test_two_pages_through_turn_alone(meet: Meet, turn_server: WebServer) -> None:
    mira, odile = await two(meet, at=turn_server.origin)
    await mira.register()
    await odile.register()
    await mira.call(odile)
    before = [await line_of(person) for person in (mira, odile)]
    await between_pages(mira, odile)
    for person, peer, started in ((mira, odile, before[0]), (odile, mira, before[1])):
        line = await line_of(person)
        is_only_relay(line)
        assert line.bytes - started.bytes > _MIB  # it was this line that carried the files
        await person.reads_of_the_line("relayed", peer.name)
    await mira.hang_up()
    await odile.is_gone()


@pytest.mark.parametrize("has_turn", [True, False])
async def test_two_pages_go_direct_when_both_consent(
    meet: Meet, turn_server: WebServer, server: ServerProcess, plain_browser: Browser, has_turn: bool
) -> None:
    origin = turn_server.origin if has_turn else server.origin
    mira, odile = await two(meet, at=origin, using=plain_browser)
    await mira.register()
    await odile.register()
    await odile.call(mira)
    if has_turn:
        for person in (mira, odile):
            is_only_relay(await line_of(person))
    await mira.reads_of_the_line("relayed", odile.name)
    await mira.button("panel.askDirect").click()
    await odile.button("direct.yes").click()
    await mira.reads_of_the_line("direct", odile.name)
    await odile.reads_of_the_line("direct", mira.name)
    before = [await line_of(person, "all") for person in (mira, odile)]
    await between_pages(mira, odile)
    for person, started in ((mira, before[0]), (odile, before[1])):
        line = await line_of(person, "all")
        assert line.pair is not None
        assert line.pair[0] == "host"
        assert line.pair[1] in ("host", "prflx")  # a check may be quicker than the candidate it came from
        assert line.bytes - started.bytes > _MIB
    await odile.hang_up()
    await mira.is_gone()


@pytest.mark.parametrize("asked", [True, False])
async def test_a_direct_line_is_refused_and_nothing_is_gathered_for_it(
    meet: Meet, turn_server: WebServer, asked: bool
) -> None:
    """By the person, or without a question by who switched the question off."""
    mira, odile = await two(meet, at=turn_server.origin)
    await mira.register()
    await odile.register()
    if not asked:
        await odile.refuses_direct_lines()
    await mira.call(odile)
    await line_of(mira)
    await mira.button("panel.askDirect").click()
    if asked:
        await odile.button("direct.no").click()
    await mira.page.get_by_text("The call stays relayed.").first.wait_for()
    await between_pages(mira, odile)
    for person, peer in ((mira, odile), (odile, mira)):
        await person.reads_of_the_line("relayed", peer.name)
        for line in await connections(person):
            assert line.policy == "relay"
            assert ways(line) <= {"relay"}


@pytest.mark.parametrize("who", ["both", "one"])
async def test_pages_without_webrtc_talk_over_the_blind_relay(
    meet: Meet, turn_server: WebServer, who: str
) -> None:
    mira, odile = await meet("mira", at=turn_server.origin), await meet("odile", at=turn_server.origin)
    await mira.context.add_init_script(NO_WEBRTC)
    if who == "both":
        await odile.context.add_init_script(NO_WEBRTC)
    else:
        await note_webrtc(odile)
    await mira.register()
    await odile.register()
    await mira.call(odile)
    await between_pages(mira, odile)
    assert await mira.page.evaluate("typeof RTCPeerConnection") == "undefined"
    if who == "one":
        assert await connections(odile) == []
    await mira.reads_of_the_line("relayed", odile.name)
    await odile.reads_of_the_line("relayed", mira.name)


async def test_pages_of_a_server_without_turn_talk_over_the_blind_relay(meet: Meet) -> None:
    mira, odile = await two(meet)
    await mira.register()
    await odile.register()
    await mira.call(odile)
    await between_pages(mira, odile)
    for person, peer in ((mira, odile), (odile, mira)):
        assert await connections(person) == []
        await person.reads_of_the_line("relayed", peer.name)


async def test_page_and_python_through_turn_alone(meet: Meet, turn_server: WebServer, tmp_path: Path) -> None:
    mira = await meet("mira", at=turn_server.origin)
    await note_webrtc(mira)
    async with page_and_python(mira, rings=True) as (name, conversation):
        started = await line_of(mira)
        await soon(lambda: line_of_python(conversation), 10)
        await with_python(mira, name, conversation, tmp_path)
        line = await line_of(mira)
        is_only_relay(line)
        assert line.bytes - started.bytes > _MIB
        python = line_of_python(conversation)
        assert python is not None
        assert python._ice is not None
        assert {candidate.type for candidate in python._ice.local_candidates} == {"relay"}
        assert conversation.line is Line.RELAYED
        await mira.reads_of_the_line("relayed", name)
        await mira.hang_up()
        await mira.is_gone()


@pytest.mark.parametrize("asks", ["page", "python"])
async def test_page_and_python_go_direct_when_both_consent(
    meet: Meet, turn_server: WebServer, plain_browser: Browser, tmp_path: Path, asks: str
) -> None:
    mira = await meet("mira", at=turn_server.origin, using=plain_browser)
    await note_webrtc(mira)
    async with page_and_python(mira, rings=False) as (name, conversation):
        await line_of(mira)
        await mira.reads_of_the_line("relayed", name)
        if asks == "page":
            await mira.button("panel.askDirect").click()
            await (await next_of(conversation, DirectRequested)).request.accept()
        else:
            asking = asyncio.create_task(conversation.request_direct())
            await mira.button("direct.yes").click()
            assert await asking
        await mira.reads_of_the_line("direct", name)
        await soon(lambda: conversation.line is Line.DIRECT)
        started = await line_of(mira, "all")
        await with_python(mira, name, conversation, tmp_path)
        line = await line_of(mira, "all")
        assert line.pair is not None
        assert line.pair[0] == "host"
        assert line.pair[1] in ("host", "prflx")
        assert line.bytes - started.bytes > _MIB


@pytest.mark.parametrize("missing", ["webrtc", "turn"])
async def test_page_and_python_over_the_blind_relay(
    meet: Meet, turn_server: WebServer, server: ServerProcess, tmp_path: Path, missing: str
) -> None:
    mira = await meet("mira", at=server.origin if missing == "turn" else turn_server.origin)
    if missing == "webrtc":
        await mira.context.add_init_script(NO_WEBRTC)
    else:
        await note_webrtc(mira)
    async with page_and_python(mira, rings=True) as (name, conversation):
        await with_python(mira, name, conversation, tmp_path)
        assert line_of_python(conversation) is None
        if missing == "turn":
            assert await connections(mira) == []
        assert conversation.line is Line.RELAYED
        await mira.reads_of_the_line("relayed", name)
