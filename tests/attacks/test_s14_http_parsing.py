"""S-14: a request that two programs could read as two is refused, and answers keep to their requests."""

import asyncio

import pytest
from tests.server.house import Http, Reply, house

BODY = b'{"username":"odile"}'
POST = "POST /v1/usernames/check HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
CHUNKED = b"14\r\n" + BODY + b"\r\n0\r\n\r\n"
SMUGGLED = b"GET /v1/server HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED = {
    "length and chunks": (POST + "Content-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKED),
    "chunks and length": (POST + "Transfer-Encoding: chunked\r\nContent-Length: 20\r\n\r\n", CHUNKED),
    "two lengths": (POST + "Content-Length: 20\r\nContent-Length: 0\r\n\r\n", BODY),
    "two equal lengths": (POST + "Content-Length: 20\r\nContent-Length: 20\r\n\r\n", BODY),
    "a list of lengths": (POST + "Content-Length: 20, 20\r\n\r\n", BODY),
    "a signed length": (POST + "Content-Length: +20\r\n\r\n", BODY),
    "a negative length": (POST + "Content-Length: -1\r\n\r\n", BODY),
    "a length in hex": (POST + "Content-Length: 0x14\r\n\r\n", BODY),
    "an unknown coding": (POST + "Transfer-Encoding: gzip\r\n\r\n", CHUNKED),
    "two codings": (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n", CHUNKED),
    "chunked twice": (POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKED),
    "a coding in disguise": (POST + "Transfer-Encoding: xchunked\r\n\r\n", CHUNKED),
    "a coding with a tab": (POST + "Transfer-Encoding:\x0bchunked\r\n\r\n", CHUNKED),
    "a space before the colon": (POST + "Content-Length : 20\r\n\r\n", BODY),
    "folding": (POST + "X: y\r\n z\r\nContent-Length: 20\r\n\r\n", BODY),
    "bare LF": (POST.replace("\r\n", "\n") + "Content-Length: 20\n\n", BODY),
    "bare LF between headers": (POST + "X: y\nContent-Length: 20\r\n\r\n", BODY),
    "bare CR": (POST + "X: y\rZ: 1\r\nContent-Length: 20\r\n\r\n", BODY),
    "NUL in a header": (POST + "X: \x00\r\nContent-Length: 20\r\n\r\n", BODY),
    "two hosts": (POST + "Host: {host}\r\nContent-Length: 20\r\n\r\n", BODY),
    "a second, foreign host": (POST + "Host: evil\r\nContent-Length: 20\r\n\r\n", BODY),
    "no host": ("GET /v1/server HTTP/1.1\r\n\r\n", b""),
    "an absolute target": ("GET http://evil/v1/server HTTP/1.1\r\nHost: {host}\r\n\r\n", b""),
    "an authority": ("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n", b""),
    "asterisk": ("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n", b""),
    "chunks in 1.0": (
        "POST /v1/usernames/check HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED,
    ),
    "an unknown upgrade": (
        "GET /v1/server HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"",
    ),
    "HTTP/2's preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""),
    "no HTTP at all": ("\x16\x03\x01\x02\x00\x01", b""),
    "an unknown method": ("STEAL /v1/server HTTP/1.1\r\nHost: {host}\r\n\r\n", b""),
    "an unencoded space": ("GET /v1/ser ver HTTP/1.1\r\nHost: {host}\r\n\r\n", b""),
    "an unencoded letter": ("GET /v1/sérver HTTP/1.1\r\nHost: {host}\r\n\r\n", b""),
    "a chunk size beyond all": (
        POST + "Transfer-Encoding: chunked\r\n\r\n",
        b"fffffffffffffffff\r\n" + BODY,
    ),
    "a chunk without its end": (POST + "Transfer-Encoding: chunked\r\n\r\n", b"14\r\n" + BODY + b"0\r\n\r\n"),
}


async def exchange(http: Http, request: tuple[str, bytes]) -> list[Reply]:
    """Send a request with another hidden behind it; return all answers until the server closes."""
    head, body = request
    host = f"127.0.0.1:{http.port}"
    http.writer.write(head.replace("{host}", host).encode("latin-1") + body + SMUGGLED)
    replies = []
    try:
        while True:
            replies.append(await http.reply(3))
    except (asyncio.IncompleteReadError, ConnectionError):
        return replies


@pytest.mark.parametrize("what", REFUSED)
async def test_s14_an_ambiguous_request_is_refused_and_the_connection_with_it(what: str) -> None:
    async with house() as rooms:
        replies = await exchange(await rooms.dial(), REFUSED[what])
        assert [(reply.status, reply.error, reply["connection"]) for reply in replies] == [
            (400, "bad_request", "close")
        ]


MISDIRECTED = [
    "evil",
    "127.0.0.1",
    "{host}/",
    "{host}/?x=",
    "{host}?",
    "{host}#",
    "x@{host}",
    "{host}, evil",
    "",
]


@pytest.mark.parametrize("host", MISDIRECTED)
async def test_s14_no_rule_is_decided_on_a_rebuilt_address(host: str) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        named = host.replace("{host}", f"127.0.0.1:{rooms.port}")
        reply = await http.ask("GET", "/v1/server", headers={"Host": named})
        assert (reply.status, reply.error) == (421, "misdirected")


async def test_s14_harmless_variations_lead_to_the_same_place() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        plain = await http.ask("POST", "/v1/usernames/check", BODY)
        variations = (
            {"Content-Length": "00020"},
            {"content_length": "5", "Transfer_Encoding": "chunked", "Host_": "evil"},
            {"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(1000))},
            {"X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/v1/account", "X-Forwarded-Host": "evil"},
        )
        for headers in variations:
            assert (await http.ask("POST", "/v1/usernames/check", BODY, headers=headers)).shape == plain.shape
        query = await http.ask("POST", "/v1/usernames/check?username=sefa&x=%00", BODY)
        assert query.shape == plain.shape


async def test_s14_chunk_extensions_and_trailers_change_nothing() -> None:
    async with house(trusted_proxies="127.0.0.1", rate_factor=0.001) as rooms:
        http = await rooms.dial()
        head = http.head(
            "POST",
            "/v1/usernames/check",
            headers={"Transfer-Encoding": "chunked", "Content-Type": "application/json"},
        )
        tail = b"14;name=value\r\n" + BODY + b"\r\n0\r\nX-Forwarded-For: 203.0.113.%d\r\nHost: evil\r\n\r\n"
        statuses = []
        for number in range(3):
            http.writer.write(head + tail % number)
            statuses.append((await http.reply()).status)
        # Were the trailer a header, each would have come from another address.
        assert statuses == [200, 429, 429]


async def test_s14_answers_come_in_the_order_of_their_requests() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        slow, fast = http.head("POST", "/v1/usernames/check", BODY), http.head("GET", "/healthz")
        http.writer.write(slow + fast + http.head("GET", "/nothing") + slow)
        replies = [await http.reply() for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 200, 404, 200]
        assert b"available" in replies[0].body
        assert b"available" in replies[3].body


async def test_s14_one_requests_error_is_never_anothers_answer() -> None:
    async with house() as rooms:
        for _ in range(5):
            http = await rooms.dial()
            http.writer.write(http.head("POST", "/v1/usernames/check", BODY) + b"\x00nonsense\r\n\r\n")
            replies = []
            try:
                while True:
                    replies.append(await http.reply(3))
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            # The first may get its answer, or the connection ends; it never gets the second's error.
            assert [reply.status for reply in replies] in ([], [200])


async def test_s14_an_upgrade_behind_an_unanswered_request_is_refused() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        upgrade = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        http.writer.write(
            http.head("POST", "/v1/usernames/check", BODY) + http.head("GET", "/v1/connect", headers=upgrade)
        )
        data = await http.reader.read()
        assert b" 101 " not in data
