"""S-13: connections that stall, drip or swell are closed in time, and others are served meanwhile."""

import asyncio
import time

import pytest
from tests.server.house import Http, house

from whisp.server.gate import doorman, http_protocol

NAME = b'{"username":"odile"}'


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every deadline a fraction of a second."""
    for name, seconds in {
        "HEAD_SECONDS": 0.3,
        "BODY_SECONDS": 0.5,
        "ANSWER_SECONDS": 1.0,
        "IDLE_SECONDS": 1.0,
        "CLOSE_SECONDS": 0.2,
    }.items():
        monkeypatch.setattr(http_protocol, name, seconds)
    monkeypatch.setattr(doorman, "SWEEP_SECONDS", 0.05)


def test_s13_the_real_deadlines_are_what_the_specification_of_the_server_says() -> None:
    assert (doorman.HEAD_SECONDS, doorman.BODY_SECONDS) == (10, 30)
    assert http_protocol.MAX_HEAD_BYTES == 16 * 1024


async def drip(http: Http, data: bytes, pause: float = 0.05) -> float:
    """Send byte after byte until the server closes; return how long it took."""
    started = time.monotonic()
    closing = asyncio.create_task(http.reader.read())
    for byte in data:
        if closing.done():
            break
        http.writer.write(bytes([byte]))
        await asyncio.sleep(pause)
    await asyncio.wait_for(closing, 3)
    return time.monotonic() - started


@pytest.mark.usefixtures("hurried")
async def test_s13_a_connection_that_says_nothing_is_closed() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        started = time.monotonic()
        assert await http.is_closed(2)
        assert 0.25 < time.monotonic() - started < 1


@pytest.mark.usefixtures("hurried")
async def test_s13_a_dripped_head_does_not_move_its_deadline() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        assert await drip(http, http.head("GET", "/v1/server")) < 1


@pytest.mark.usefixtures("hurried")
async def test_s13_a_dripped_head_on_a_kept_connection_does_not_either() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        assert (await http.ask("GET", "/v1/server")).status == 200
        assert await drip(http, http.head("GET", "/v1/server")) < 1


@pytest.mark.usefixtures("hurried")
async def test_s13_empty_lines_between_requests_do_not_keep_a_connection() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        assert (await http.ask("GET", "/v1/server")).status == 200
        assert await drip(http, b"\r\n" * 100) < 2


@pytest.mark.usefixtures("hurried")
async def test_s13_a_late_head_and_a_dripped_body_are_told_so() -> None:
    async with house() as rooms:
        for sent in ("head", "body"):
            http = await rooms.dial()
            request = http.head("POST", "/v1/usernames/check", NAME)
            http.writer.write(request[:30] if sent == "head" else request[:-3])
            reply = await http.reply(3)
            assert (reply.status, reply.error, reply["connection"]) == (408, "bad_request", "close")
            assert await http.is_closed()


@pytest.mark.usefixtures("hurried")
async def test_s13_a_dripped_body_does_not_move_its_deadline() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        head = http.head("POST", "/v1/usernames/check", headers={"Content-Length": "500", **JSON})
        http.writer.write(head)
        assert await drip(http, b" " * 500) < 1.5


@pytest.mark.usefixtures("hurried")
async def test_s13_a_stalled_upgrade_is_closed() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        http.writer.write(http.head("GET", "/v1/connect", headers=upgrade)[:-2])
        assert (await http.reply(2)).status == 408
        assert await http.is_closed(2)


JSON = {"Content-Type": "application/json"}
HUGE = {
    "1 MiB of one header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 2**20,
    "1 MiB of headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"X: " + b"x" * 1000 + b"\r\n") * 1048,
    "10,000 headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "65 headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 65 + b"\r\n",
    "a path of 1 MiB": b"GET /" + b"x" * 2**20 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a head of 17 KiB": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 17 * 1024 + b"\r\n\r\n",
}


@pytest.mark.parametrize("what", HUGE)
async def test_s13_a_head_is_bounded(what: str) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        http.writer.write(HUGE[what])
        try:
            reply = await http.reply(5)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # closed while we were still sending
        else:
            assert (reply.status, reply.error, reply["connection"]) == (431, "too_large", "close")
        assert await http.is_closed()
        other = await rooms.dial()
        assert (await other.ask("GET", "/healthz")).status == 200


async def test_s13_a_head_below_the_bound_is_read() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        assert (await http.ask("GET", "/v1/server", headers={"X": "x" * 15_000})).status == 200


async def test_s13_compressed_bodies_are_not_unpacked() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        reply = await http.ask("POST", "/v1/usernames/check", NAME, headers={"Content-Encoding": "gzip"})
        assert reply.error == "unsupported_media_type"


async def test_s13_chunks_of_one_byte_are_joined_and_counted() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        chunked = {"Transfer-Encoding": "chunked", **JSON}
        for body, status in ((NAME, 200), (b" " * (64 * 1024 + 1), 413)):
            http.writer.write(http.head("POST", "/v1/usernames/check", headers=chunked))
            http.writer.write(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
            assert (await http.reply()).status == status


async def test_s13_a_body_without_end_is_not_kept() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        http.writer.write(
            http.head("POST", "/v1/usernames/check", headers={"Transfer-Encoding": "chunked", **JSON})
        )
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012 - it may fail at any of them
            async with asyncio.timeout(10):
                for _ in range(4000):
                    http.writer.write(piece)
                    await http.writer.drain()
        assert await http.is_closed()


async def test_s13_one_address_has_so_many_places_and_its_honest_client_gets_one() -> None:
    async with house(max_http_connections_per_address=8) as rooms:
        crowd = [await rooms.dial("127.0.0.7") for _ in range(40)]
        for each in crowd:
            each.writer.write(b"GET /v1")
        neighbour, stranger = await rooms.dial("127.0.0.7"), await rooms.dial("127.0.0.8")
        assert (await neighbour.ask("GET", "/v1/server")).status == 200
        assert (await stranger.ask("GET", "/v1/server")).status == 200
        assert rooms.application.counts()["http_connections"] <= 8 + 1
        closed = [await crowd[number].is_closed(1) for number in range(30)]
        assert all(closed)


async def test_s13_the_house_has_so_many_places_and_an_honest_client_gets_one() -> None:
    async with house(max_http_connections=16, max_http_connections_per_address=4) as rooms:
        crowd = [await rooms.dial(f"127.0.1.{number}") for number in range(60)]
        for each in crowd:
            each.writer.write(b"POST /v1/challenge HTTP/1.1\r\n")
        for number in range(20):
            honest = await rooms.dial(f"127.0.2.{number}")
            assert (await honest.ask("GET", "/v1/server")).status == 200
        assert rooms.application.counts()["http_connections"] <= 16


async def test_s13_real_people_are_served_during_an_attack() -> None:
    async with house(max_http_connections_per_address=32) as rooms:
        odile = await rooms.person("odile")
        stop = False

        async def attack() -> None:
            while not stop:
                http = await Http.dial(rooms.port, "127.0.0.9")
                http.writer.write(b"GET / HTTP/1.1\r\nX: ")
                crowd.append(http)
                await asyncio.sleep(0.001)

        crowd: list[Http] = []
        attackers = [asyncio.create_task(attack()) for _ in range(4)]
        answers = [await odile.discover("sefa") for _ in range(100)]
        newcomers = [await (await rooms.dial()).ask("GET", "/v1/server") for _ in range(50)]
        stop = True
        await asyncio.gather(*attackers)
        assert {reply.status for reply in (*answers, *newcomers)} == {200}
        assert len(crowd) > 32
        for each in crowd:
            await each.close()


async def test_s13_pipelining_is_bounded() -> None:
    async with house() as rooms:
        http = await rooms.dial()
        http.writer.write(http.head("GET", "/v1/server") * 5)
        assert [(await http.reply()).status for _ in range(5)] == [200] * 5
        http.writer.write(http.head("GET", "/v1/server") * 500)
        assert await http.is_closed()
        assert (await (await rooms.dial()).ask("GET", "/healthz")).status == 200


@pytest.mark.usefixtures("hurried")
async def test_s13_who_never_reads_the_answers_is_cut() -> None:
    async with house(rate_factor=1000) as rooms:
        http = await rooms.dial()
        request = http.head("GET", "/openapi.json")
        http.reader._transport.pause_reading()  # type: ignore[attr-defined] # streams hide their transport
        for _ in range(2000):
            http.writer.write(request)
        async with asyncio.timeout(6):
            while rooms.application.counts()["http_connections"]:
                await asyncio.sleep(0.05)
        http.writer.transport.abort()
