"""HTTP to a server that may answer anything."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from whisp.client.errors import (
    InvalidUsernameError,
    RateLimitedError,
    ServerFaultError,
    ServerUnreachableError,
    TransportError,
    UnauthorizedError,
    UsernameTakenError,
    VersionMismatchError,
)
from whisp.client.http import MAX_ANSWER_BYTES, Http
from whisp.client.origin import Origin
from whisp.wire.api import Availability, ServerInfo, UsernameRequest
from whisp.wire.errors import LocalProtocolError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: bytes, *, requests: list[bytes] | None = None) -> AsyncIterator[Http]:
    """Run a server that gives the same bytes to every request."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if requests is not None:
                    requests.append(head)
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.split(b":")[1]))
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    http = Http(Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1]))
    try:
        yield http
    finally:
        http.abort()
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.02)


def response(status: str, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


INFO = b'{"origin":"http://x","major":1,"minor":0,"software":"whisp","more":"ignored"}'


async def test_answers_are_decoded_and_the_connection_is_kept() -> None:
    requests: list[bytes] = []
    async with answering(response("200 OK", INFO), requests=requests) as http:
        for _ in range(3):
            info = await http.request("GET", "/v1/server", ServerInfo, token="the-token")
            assert (info.major, info.software) == (1, "whisp")
        assert http._kept is not None
    assert all(b"Authorization: Bearer the-token\r\n" in head for head in requests)
    assert all(b"the-token" not in head.split(b"\r\n")[0] for head in requests)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (response("200 OK", b"not json"), ServerFaultError),
        (response("200 OK", b'{"major":"one"}'), ServerFaultError),
        (response("200 OK", b""), ServerFaultError),
        (response("200 OK", b" " * (MAX_ANSWER_BYTES + 10)), ServerFaultError),
        (response("302 Found", b"", b"Location: http://127.0.0.1:1/"), ServerFaultError),
        (response("404 Not Found", b"<html>"), VersionMismatchError),
        (response("500 Oops", b'{"error":"internal","message":"m"}'), ServerFaultError),
        (response("503 Busy", b"", b"Retry-After: 3"), ServerUnreachableError),
        (response("401 No", b'{"error":"unauthorized","message":"m"}'), UnauthorizedError),
        (response("403 No", b'{"error":"forbidden","message":"m"}'), UnauthorizedError),
        (response("409 No", b'{"error":"username_taken","message":"m"}'), UsernameTakenError),
        (response("422 No", b'{"error":"bad_username","message":"m"}'), InvalidUsernameError),
        (response("421 No", b'{"error":"misdirected","message":"m"}'), TransportError),
        (response("400 No", b'{"error":"a_code_from_the_future","message":"m"}'), ServerFaultError),
        (b"not http at all\r\n\r\n", ServerUnreachableError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", ServerUnreachableError),
    ],
)
async def test_every_other_answer_is_an_error_with_a_sentence(
    answer: bytes, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    if answer.endswith(b"short"):
        monkeypatch.setattr("whisp.client.http.ANSWER_SECONDS", 0.1)
    async with answering(answer) as http:
        with pytest.raises(error) as caught:
            await http.request("POST", "/v1/usernames/check", Availability, UsernameRequest("odile"))
        assert type(caught.value) is error
        assert str(caught.value)[0].isupper()
        assert "odile" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "seconds"), [(b"7", 7), (b"0", 0), (b"soon", 1), (b"-5", 0), (b"9e99", 86_400)]
)
async def test_a_limit_says_when_to_come_back(header: bytes, seconds: float) -> None:
    limited = response("429 Slow", b'{"error":"too_many_requests","message":"m"}', b"Retry-After: " + header)
    async with answering(limited) as http:
        with pytest.raises(RateLimitedError) as caught:
            await http.request("GET", "/v1/server", ServerInfo)
        assert caught.value.retry_after == seconds


async def test_a_request_given_up_leaves_no_connection() -> None:
    async with answering(b"") as http:
        asking = asyncio.create_task(http.request("GET", "/v1/server", ServerInfo))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0.05)
        assert http._kept is None


@pytest.mark.parametrize(
    ("text", "canonical", "url"),
    [
        ("https://Chat.Example", "https://chat.example", "wss://chat.example:443/v1/connect"),
        ("https://chat.example:443/", "https://chat.example", "wss://chat.example:443/v1/connect"),
        ("http://localhost:8790", "http://localhost:8790", "ws://localhost:8790/v1/connect"),
        ("http://127.0.0.1", "http://127.0.0.1", "ws://127.0.0.1:80/v1/connect"),
        ("http://[::1]:80", "http://[::1]", "ws://[::1]:80/v1/connect"),
    ],
)
def test_an_origin_has_one_form(text: str, canonical: str, url: str) -> None:
    origin = Origin.parse(text)
    assert (str(origin), origin.websocket_url) == (canonical, url)


@pytest.mark.parametrize(
    "text",
    [
        *("", "chat.example", "ws://x", "https://", "https://a/b", "https://a?b", "https://a#b"),
        *("https://u:p@a", "https://a:99999", "https://[::1", "https://ünicode.example"),
        *("http://chat.example", "http://10.0.0.1"),
    ],
)
def test_what_is_no_safe_origin_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        Origin.parse(text)


def test_plain_http_has_to_be_spelled_out() -> None:
    assert not Origin.parse("http://10.0.0.1:8790", unsafe_plain_http=True).is_secure
