"""S-27, the server's side: no secret belongs in a URL, and none that is put there does or leaves anything."""

import logging
import re
from pathlib import Path

import pytest
from tests.server.house import House, Person, house
from tests.server.pages.small_app import PATHS
from tests.server.signalling.raw_client import RawClient

from whisp.server.app import OPERATIONS
from whisp.wire.frames import Hello
from whisp.wire.version import CURRENT


def test_s27_no_call_has_room_for_anything_in_its_address() -> None:
    assert [
        op.path for op in OPERATIONS if not re.fullmatch(r"(/v1)?(/[a-zA-Z]+){1,2}(\.json)?", op.path)
    ] == []


async def test_s27_a_token_in_a_url_is_nothing() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        for query in ("token", "access_token", "authorization"):
            reply = await odile.http.ask("GET", f"/v1/account?{query}={odile.token}")
            assert reply.status == 401
            client = await RawClient.dial(rooms.port, f"/v1/connect?{query}={odile.token}")
            assert client.status == 101
            assert rooms.application.counts()["online"] == 0
            await client.disconnect()


async def everything(rooms: House, odile: Person, canary: str) -> None:
    """Put a canary wherever a client can put text, on every way in."""
    marked = {"User-Agent": canary, "Referer": f"http://x/{canary}", "Cookie": f"a={canary}"}
    await odile.http.ask("GET", f"/v1/server?{canary}", headers=marked)
    await odile.http.ask("GET", f"/{canary}", headers=marked)
    await odile.http.ask("POST", "/v1/discover", {"username": canary, "fvc": canary}, token=odile.token)
    await odile.http.ask("POST", "/v1/discover", f'{{"{canary}', token=odile.token)
    await odile.http.ask("GET", "/v1/account", token=canary)
    await odile.http.ask("GET", "/v1/server", headers={"Host": canary})
    bad = await rooms.dial()
    bad.writer.write(f"{canary} / HTTP/1.1\r\n{canary}\r\n\r\n".encode())
    await bad.is_closed()
    for path in (f"/v1/connect?{canary}", f"/{canary}"):
        client = await RawClient.dial(rooms.port, path, headers={"User-Agent": canary})
        if client.status == 101:
            await client.send(Hello(CURRENT, canary).encode())
            assert (await client.closed()).code == 4002
        await client.disconnect()
    socket = await odile.online()
    socket.write_piece(b"\x03\xe8" + canary.encode(), 8)  # a close reason
    await socket.disconnect()


@pytest.mark.parametrize("driver", ["picows", "uvicorn"])
async def test_s27_no_log_line_repeats_an_address(driver: str, caplog: pytest.LogCaptureFixture) -> None:
    canary = "CNRY-27-e1f0"
    async with house(websocket=driver, rate_factor=100) as rooms:
        odile = await rooms.person("odile")
        with caplog.at_level(logging.INFO):
            await everything(rooms, odile, canary)
            logging.getLogger("whisp").info("the control: %s", canary)
    lines = [record.getMessage() + str(record.exc_info or "") for record in caplog.records]
    assert [line for line in lines if canary in line] == [f"the control: {canary}"]
    assert not [line for line in lines if re.search(r"127\.0\.0\.1|odile", line)]


async def test_s27_no_answer_sends_a_referrer_on(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path in ("/v1/server", "/nothing", *PATHS):
            assert (await http.ask("GET", path))["referrer-policy"] == "no-referrer"
