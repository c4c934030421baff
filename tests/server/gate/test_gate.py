"""The gate: what every answer has in common, and who is turned away with what."""

import logging

import msgspec
import pytest
from tests.server.house import House, Reply, house

from whisp.server.app import OPERATIONS
from whisp.server.errors import TooManyRequestsError
from whisp.server.gate.answers import SECURITY_HEADERS, STATUS, answer_to, error
from whisp.wire import api
from whisp.wire.codes import ErrorCode

EXPECTED = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}


def assert_decent(reply: Reply) -> None:
    """Check what holds for every answer there is."""
    for name, value in EXPECTED.items():
        assert reply[name] == value, name
    assert reply["content-type"] == "application/json"
    assert reply["server"] is None
    assert reply["etag"] is None
    assert reply["set-cookie"] is None
    if reply.status >= 400:
        assert reply.error in {code.value for code, status in STATUS.items() if status == reply.status}


async def replies_of_all_kinds(rooms: House) -> list[Reply]:
    """Return answers of every status that can be had."""
    odile = await rooms.person("odile")
    http = await rooms.dial()
    foreign = {"Host": "evil.example"}
    return [
        await http.ask("GET", "/v1/server"),
        await http.ask("GET", "/openapi.json"),
        await http.ask("GET", "/healthz"),
        await http.ask("GET", "/readyz"),
        await http.ask("GET", "/healthz", headers=foreign),
        await odile.discover("sefa"),
        await odile.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest("sefa")),
        await odile.ask("GET", "/v1/account"),
        await http.ask("POST", "/v1/discover", b"{"),
        await odile.ask("POST", "/v1/discover", b"{"),
        await http.ask("GET", "/v1/account"),
        await http.ask("GET", "/nothing"),
        await http.ask("PATCH", "/v1/account"),
        await http.ask("GET", "/v1/server", headers=foreign),
        await http.ask("GET", "/v1/server", headers={"Origin": "https://evil.example"}),
        await http.ask("POST", "/v1/challenge", b"{}", headers={"Content-Type": "text/plain"}),
        await http.ask("POST", "/v1/challenge", b" " * 70_000),
        await http.ask("GET", "/v1/server", headers={"Host": None}),
    ]


async def test_every_answer_has_the_same_headers_and_every_error_the_same_shape() -> None:
    async with house() as rooms:
        replies = await replies_of_all_kinds(rooms)
    assert {reply.status for reply in replies} == {200, 400, 401, 403, 404, 405, 413, 415, 421}
    for reply in replies:
        assert_decent(reply)


async def test_a_head_request_gets_the_head_alone() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        for _ in range(2):  # the connection stays in step
            head, full = await http.ask("HEAD", "/v1/server"), await http.ask("GET", "/v1/server")
            assert head.body == b""
            assert head.shape[:2] == full.shape[:2]


async def test_a_method_that_is_not_there_is_told_which_are() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        assert (await http.ask("OPTIONS", "/v1/account"))["allow"] == "GET, HEAD, DELETE"
        assert (await http.ask("GET", "/v1/discover"))["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    ["/docs", "/redoc", "/v1/discover/", "//v1/discover", "/v1/./discover", "/v1/x/../discover",
     "/v1/%64iscover", "/%2e%2e/v1/discover", "/V1/discover", "/v1/discover;x", "/", "*"],
)  # fmt: skip
async def test_only_the_plain_path_leads_anywhere(path: str) -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        reply = await odile.ask("POST", path, api.DiscoverRequest("sefa"))
        assert (reply.status, reply.error) in {(404, "not_found"), (400, "bad_request")}


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; Charset=UTF-8"])
async def test_json_is_taken(media_type: str) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        body = api.UsernameRequest("odile")
        reply = await http.ask("POST", "/v1/usernames/check", body, headers={"Content-Type": media_type})
        assert reply.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": None},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/jsonp"},
        {"Content-Encoding": "gzip"},
    ],
)
async def test_nothing_else_is(headers: dict[str, str | None]) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        reply = await http.ask("POST", "/v1/usernames/check", api.UsernameRequest("odile"), headers=headers)
        assert (reply.status, reply.error) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic b2RpbGU6eA==", "bearer x", "Bearer é", "Bearer " + "x" * 2000],
)
async def test_a_token_is_needed_where_one_is(authorization: str | None) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        for operation in OPERATIONS:
            if operation.needs_token:
                headers = {"Authorization": authorization, "Content-Type": "application/json"}
                reply = await http.ask(operation.method, operation.path, b"{}", headers=headers)
                assert (reply.status, reply.error) == (401, "unauthorized")
                assert reply["www-authenticate"] == "Bearer"


async def test_the_scheme_of_a_token_may_be_written_in_any_case() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        headers = {"Authorization": f"bEARER {odile.token}"}
        assert (await odile.http.ask("GET", "/v1/account", headers=headers)).status == 200


async def test_a_body_is_taken_up_to_its_limit_and_its_connection_lives_on_beyond() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        plain = msgspec.json.encode(api.UsernameRequest("odile"))
        for size, status in ((64 * 1024, 200), (64 * 1024 + 1, 413), (200 * 1024, 413), (64 * 1024, 200)):
            assert (await http.ask("POST", "/v1/usernames/check", plain.ljust(size))).status == status
        declared = {"Content-Length": str(10**12)}
        reply = await http.ask("POST", "/v1/usernames/check", plain, headers=declared)
        assert (reply.status, reply["connection"]) == (413, "close")
        assert await http.is_closed()


async def test_an_internal_error_says_nothing_to_anyone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("CNRY-7f3a in the error")

    async with house() as rooms:
        odile = await rooms.person("odile")
        monkeypatch.setattr(rooms.application.accounts, "own", fail)
        monkeypatch.setattr(rooms.application.presence, "is_online", fail)
        with caplog.at_level(logging.DEBUG):
            replies = [await odile.ask("GET", "/v1/account"), await odile.discover("sefa")]
        for reply in replies:
            assert (reply.status, reply.error) == (500, "internal")
            assert_decent(reply)
        assert "ValueError in fail line" in caplog.text
        assert "CNRY" not in caplog.text
        monkeypatch.undo()
        assert (await odile.ask("GET", "/v1/account")).status == 200


async def test_a_request_whose_client_goes_away_is_dropped() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        http.writer.write(http.head("POST", "/v1/challenge", headers={"Content-Length": "10"}) + b"{")
        await http.writer.drain()
        http.writer.transport.abort()
        other = await rooms.dial()
        assert (await other.ask("GET", "/healthz")).status == 200


def test_every_error_has_a_status_and_a_fixed_sentence() -> None:
    for code in ErrorCode:
        answer = error(code)
        assert answer.status == STATUS[code]
        decoded = msgspec.json.decode(answer.body, type=api.Error)
        assert decoded.error is code
        assert decoded.message.endswith(".")
        assert answer is error(code)


def test_waiting_is_told_in_whole_seconds_and_never_none() -> None:
    for seconds, told in ((0.001, b"1"), (1.0, b"1"), (1.1, b"2"), (300.0, b"300")):
        assert (b"retry-after", told) in answer_to(TooManyRequestsError(seconds)).headers
    assert (b"retry-after", b"2") in error(ErrorCode.UNAVAILABLE).headers
