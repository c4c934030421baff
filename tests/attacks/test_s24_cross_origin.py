"""S-24: a page the victim visits can neither call the server nor frame it, whatever name it gives it."""

from pathlib import Path

import pytest
from tests.server.house import JSON, House, house
from tests.server.pages.small_app import PATHS
from tests.server.signalling.raw_client import RawClient

from whisp.server.app import OPERATIONS

FOREIGN = [
    "https://evil.example",
    "null",
    "",
    "http://127.0.0.1",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}",
    "HTTP://127.0.0.1:{port}",
    "http://127.0.0.1:{port}, https://evil.example",
    "http://localhost:{port}",  # ours too, and yet not the page of the host that was dialled
]


def fill(text: str, rooms: House) -> str:
    return text.replace("{port}", str(rooms.port))


@pytest.mark.parametrize("origin", FOREIGN)
async def test_s24_no_call_answers_a_foreign_page(origin: str) -> None:
    async with house(rate_factor=100) as rooms:
        odile = await rooms.person("odile")
        for operation in OPERATIONS:
            headers = {"Origin": fill(origin, rooms), **JSON}
            reply = await odile.http.ask(
                operation.method, operation.path, b"{}", headers=headers, token=odile.token
            )
            if not operation.is_for_any_host:
                assert (reply.status, reply.error) == (403, "forbidden"), operation.path


async def test_s24_its_own_page_is_answered() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        reply = await odile.http.ask(
            "GET", "/v1/account", headers={"Origin": odile.origin}, token=odile.token
        )
        assert reply.status == 200


@pytest.mark.parametrize("driver", ["picows", "uvicorn"])
@pytest.mark.parametrize("origin", [origin for origin in FOREIGN if "localhost" not in origin])
async def test_s24_no_websocket_opens_for_a_foreign_page(origin: str, driver: str) -> None:
    async with house(websocket=driver) as rooms:
        client = await RawClient.dial(rooms.port, headers={"Origin": fill(origin, rooms)})
        assert client.status == 403
        await client.disconnect()


@pytest.mark.parametrize("driver", ["picows", "uvicorn"])
async def test_s24_a_websocket_opens_for_its_own_page_and_for_programs(driver: str) -> None:
    async with house(websocket=driver) as rooms:
        for origin in (None, f"http://localhost:{rooms.port}"):
            client = await RawClient.dial(rooms.port, headers={"Origin": origin})
            assert client.status == 101
            await client.disconnect()


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
async def test_s24_what_a_form_can_send_is_not_taken(media_type: str | None) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        body = b'{"username":"odile"}'
        reply = await http.ask("POST", "/v1/usernames/check", body, headers={"Content-Type": media_type})
        assert (reply.status, reply.error) == (415, "unsupported_media_type")


async def test_s24_no_page_is_ever_given_leave_to_ask() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND"):
            reply = await http.ask(
                "OPTIONS",
                "/v1/account",
                headers={
                    "Origin": "https://evil.example",
                    "Access-Control-Request-Method": method,
                    "Access-Control-Request-Headers": "authorization",
                    "Access-Control-Request-Private-Network": "true",
                },
            )
            assert reply.status == 403
            assert not [name for name, _ in reply.headers if name.startswith("access-control-")]


async def test_s24_a_cookie_is_nothing() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        cookies = {
            "Cookie": f"token={odile.token}; session={odile.token}; Authorization=Bearer {odile.token}"
        }
        reply = await odile.http.ask("GET", "/v1/account", headers=cookies)
        assert reply.status == 401
        assert reply["set-cookie"] is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}"])
async def test_s24_a_name_that_was_pointed_here_leads_nowhere(host: str) -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        named: dict[str, str | None] = {"Host": fill(host, rooms)}
        reply = await odile.http.ask("GET", "/v1/account", headers=named, token=odile.token)
        assert (reply.status, reply.error) == (421, "misdirected")
        client = await RawClient.dial(rooms.port, headers=named)
        assert client.status == 421
        await client.disconnect()


async def test_s24_nothing_can_be_framed_opened_or_embedded(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path in ("/v1/server", "/openapi.json", "/nothing", "/healthz", *PATHS):
            reply = await http.ask("GET", path)
            policy = (reply["content-security-policy"] or "").split("; ")
            assert policy[0] == "default-src 'none'"
            assert "frame-ancestors 'none'" in policy
            assert reply["x-frame-options"] == "DENY"
            assert reply["cross-origin-opener-policy"] == "same-origin"
            assert reply["cross-origin-resource-policy"] == "same-origin"


async def test_s24_no_foreign_page_loads_a_file_of_the_app(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path in PATHS:
            foreign = await http.ask("GET", path, headers={"Origin": "https://evil.example"})
            assert (foreign.status, foreign.error) == (403, "forbidden")
            named = await http.ask("GET", path, headers={"Host": "evil.example"})
            assert (named.status, named.error) == (421, "misdirected")
            own = await http.ask("GET", path, headers={"Origin": f"http://127.0.0.1:{rooms.port}"})
            assert own.status == 200
            assert not [name for name, _ in own.headers if name.startswith("access-control-")]
