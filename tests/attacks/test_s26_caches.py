"""S-26, the server's side: every answer says that nobody may keep it, whoever wrote it."""

import pytest
from tests.server.gate.test_gate import replies_of_all_kinds
from tests.server.house import Reply, house
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
