"""S-26, the server's side: every answer says that nobody may keep it, but files named by their own hash."""

import re
from pathlib import Path

import pytest
from tests.server.gate.test_gate import replies_of_all_kinds
from tests.server.house import Reply, house
from tests.server.pages.small_app import PATHS
from tests.server.signalling.raw_client import RawClient


def assert_not_kept(reply: Reply) -> None:
    assert reply["cache-control"] == "no-store", reply
    for name in ("etag", "last-modified", "expires", "age"):
        assert reply[name] is None


async def test_s26_no_answer_of_the_gate_is_kept() -> None:
    async with house() as rooms:
        for reply in await replies_of_all_kinds(rooms):
            assert_not_kept(reply)


@pytest.mark.parametrize(
    "request_bytes",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"],
)
async def test_s26_no_answer_below_the_gate_is_kept(request_bytes: bytes) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        http.writer.write(request_bytes)
        assert_not_kept(await http.reply())


@pytest.mark.parametrize("driver", ["picows", "uvicorn"])
@pytest.mark.parametrize("refused", [{"Origin": "https://evil.example"}, {"Host": "evil"}])
async def test_s26_no_refused_websocket_is_kept(driver: str, refused: dict[str, str | None]) -> None:
    async with house(websocket=driver) as rooms:
        client = await RawClient.dial(rooms.port, headers=refused)
        assert b"\r\ncache-control: no-store\r\n" in client.head.lower()
        await client.disconnect()


async def test_s26_limits_and_conditions_change_nothing() -> None:
    async with house(rate_factor=0.001) as rooms:
        http = await rooms.dial()
        replies = [await http.ask("POST", "/v1/challenge", b"{}") for _ in range(2)]
        assert replies[-1].status == 429
        conditional = {"If-None-Match": "*", "If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT"}
        replies.append(await http.ask("GET", "/openapi.json", headers=conditional))
        assert replies[-1].status == 200
        for reply in replies:
            assert_not_kept(reply)


async def test_s26_of_the_app_only_files_named_by_their_hash_are_kept(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path in PATHS:
            reply = await http.ask("GET", path)
            if re.fullmatch(r"/assets/\w+-[\w-]{8}\.(js|css)", path):
                assert reply["cache-control"] == "public, max-age=31536000, immutable"
            else:
                assert_not_kept(reply)


async def test_s26_a_file_of_another_build_is_gone_and_that_is_not_kept_either(built: Path) -> None:
    """A browser that holds an old index asks for what no longer is: it must not remember the answer."""
    async with house(web_app=built) as rooms:
        reply = await (await rooms.dial()).ask("GET", "/assets/main-00000000.js")
        assert reply.status == 404
        assert_not_kept(reply)


async def test_s26_a_worker_governs_the_app_only_from_where_it_was_built(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        allowed = [p for p in PATHS if (await http.ask("GET", p))["service-worker-allowed"] is not None]
        assert allowed == ["/service-worker.js"]
        assert_not_kept(await http.ask("GET", "/service-worker.js"))
