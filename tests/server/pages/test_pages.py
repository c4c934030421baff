"""The web app's files: exactly those, as they were built, with the headers each needs."""

import asyncio
import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.server.house import Http, Reply, house
from tests.server.pages.small_app import FILES, PATHS, SCRIPT
from tests.test_house import ROOT

from whisp.server.errors import StartError
from whisp.server.gate import http_protocol
from whisp.server.gate.answers import SECURITY_HEADERS
from whisp.server.pages import pages
from whisp.server.pages.headers import CONTENT_SECURITY_POLICY
from whisp.server.pages.pages import Pages


async def get(http: Http, path: str, **headers: str | None) -> Reply:
    return await http.ask("GET", path, headers={name.replace("_", "-"): v for name, v in headers.items()})


async def test_every_file_is_given_out_as_it_was_built(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path, body in PATHS.items():
            reply = await get(http, path)
            assert (reply.status, reply.body) == (200, body), path
            assert reply["content-encoding"] is None


async def test_who_takes_gzip_gets_it(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path in ("/", "/assets/main-Ab3_x-9Z.js"):
            reply = await get(http, path, Accept_Encoding="br;q=1.0, GZIP , deflate")
            assert reply["content-encoding"] == "gzip"
            assert gzip.decompress(reply.body) == PATHS[path]
            assert len(reply.body) < len(PATHS[path]) / 2
            assert reply["vary"] == "accept-encoding"
        small = await get(http, "/icon.svg", Accept_Encoding="gzip")
        assert small["content-encoding"] is None


@pytest.mark.parametrize("accepted", [None, "", "br", "identity", "gzip;q=0", "gzip; q=0.000", "x-gzip", "*"])
async def test_who_does_not_take_gzip_gets_none(built: Path, accepted: str | None) -> None:
    async with house(web_app=built) as rooms:
        reply = await get(await rooms.dial(), "/", Accept_Encoding=accepted)
        assert (reply["content-encoding"], reply.body) == (None, FILES["index.html"])


async def test_a_compressed_file_of_the_build_is_used(built: Path) -> None:
    squeezed = gzip.compress(SCRIPT, 1, mtime=0)
    (built / "assets/main-Ab3_x-9Z.js.gz").write_bytes(squeezed)
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        assert (await get(http, "/assets/main-Ab3_x-9Z.js", Accept_Encoding="gzip")).body == squeezed
        assert (await get(http, "/assets/main-Ab3_x-9Z.js.gz")).status == 404


@pytest.mark.parametrize(
    "other", [gzip.compress(SCRIPT + b"x"), gzip.compress(SCRIPT[:-1]), zlib.compress(SCRIPT), b"nonsense"]
)
async def test_a_compressed_file_of_another_build_is_refused(built: Path, other: bytes) -> None:
    (built / "assets/main-Ab3_x-9Z.js.gz").write_bytes(other)
    with pytest.raises(StartError, match="another build"):
        Pages.read(built)


async def test_only_what_holds_its_hash_in_its_name_is_kept(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        kept = {path for path in PATHS if (await get(http, path))["cache-control"] != "no-store"}
        assert kept == {"/assets/main-Ab3_x-9Z.js", "/assets/main-Cd4e5f6g.css"}
        for path in kept:
            assert (await get(http, path))["cache-control"] == "public, max-age=31536000, immutable"


async def test_every_file_says_what_it_is_and_what_it_may_do(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        replies = {path: await get(http, path) for path in PATHS}
    types = {path: (reply["content-type"] or "").partition(";")[0] for path, reply in replies.items()}
    assert types == {
        "/": "text/html",
        "/service-worker.js": "text/javascript",
        "/manifest.webmanifest": "application/manifest+json",
        "/icon.svg": "image/svg+xml",
        "/assets/main-Ab3_x-9Z.js": "text/javascript",
        "/assets/main-Cd4e5f6g.css": "text/css",
        "/assets/ring.ogg": "audio/ogg",
    }
    always = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}
    del always["cache-control"], always["content-security-policy"]
    for path, reply in replies.items():
        assert {name: reply[name] for name in always} == always
        assert reply["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert (reply["permissions-policy"] or "").startswith("camera=(self), accelerometer=(), ")
        assert reply["service-worker-allowed"] == ("/" if path == "/service-worker.js" else None)
        assert reply["etag"] is None


async def test_a_head_request_gets_the_head_alone(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path in PATHS:  # the connection stays in step
            head = await http.ask("HEAD", path)
            assert (head.body, head.shape[:2]) == (b"", (await get(http, path)).shape[:2])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_pages_are_only_read(built: Path, method: str) -> None:
    async with house(web_app=built) as rooms:
        reply = await (await rooms.dial()).ask(method, "/")
        assert (reply.status, reply["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/index.html", "/assets", "/assets/", "//", "/./", "/%2e/", "/icon.svg/", "/ICON.svg", "/icon%2esvg",
        "/../secret.txt", "/assets/../icon.svg", "/assets/..%2ficon.svg", "/%2e%2e/secret.txt", "/.stamp",
        "/..%5csecret.txt", "/icon.svg%00", "/icon.svg;x", "/secret.txt", "/web_app/icon.svg",
    ],
)  # fmt: skip
async def test_no_other_path_leads_anywhere(built: Path, path: str) -> None:
    (built.parent / "secret.txt").write_text("CNRY-pages")
    (built / ".stamp").write_text("CNRY-pages")
    async with house(web_app=built) as rooms:
        reply = await get(await rooms.dial(), path)
        assert (reply.status, reply.error) == (404, "not_found")


async def test_a_query_changes_nothing_and_neither_do_ranges_and_conditions(built: Path) -> None:
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        plain = await get(http, "/")
        assert (await get(http, "/?ring=odile")).shape == plain.shape
        asked = await get(http, "/", Range="bytes=0-3", If_None_Match="*", If_Modified_Since="x")
        assert asked.shape == plain.shape


async def test_what_changes_on_disk_changes_nothing_until_the_next_start(built: Path) -> None:
    async with house(web_app=built) as rooms:
        (built / "icon.svg").unlink()
        (built / "new.js").write_text("1")
        http = await rooms.dial()
        assert (await get(http, "/icon.svg")).body == FILES["icon.svg"]
        assert (await get(http, "/new.js")).status == 404


async def test_a_file_in_pieces_keeps_requests_in_step(built: Path) -> None:
    """Answers to requests that were sent ahead come whole, in order, also after one without a body."""
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        asked = [("GET", "/assets/main-Ab3_x-9Z.js"), ("HEAD", "/"), ("GET", "/healthz"), ("GET", "/")] * 3
        http.writer.write(b"".join(http.head(method, path) for method, path in asked))
        for method, path in asked:
            reply = await http.reply(has_body=method != "HEAD")
            assert reply.status == 200
            if method == "GET" and path in PATHS:
                assert reply.body == PATHS[path]


async def test_whoever_does_not_read_holds_little(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file, only a few pieces wait for a reader that has stopped (S-12)."""
    waiting: list[int] = []
    write = http_protocol._Outbox.write

    def watched(outbox: Any, data: bytes) -> None:
        write(outbox, data)
        size = outbox._transport.get_write_buffer_size
        asyncio.get_running_loop().call_later(
            0.001, lambda: waiting.append(size())
        )  # the system had its fill

    monkeypatch.setattr(http_protocol._Outbox, "write", watched)
    (built / "large.json").write_bytes(b"[" + b"0," * 1_500_000 + b"0]")
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        http.writer.transport.pause_reading()  # type: ignore[attr-defined] # sockets' transports have it
        http.writer.write(http.head("GET", "/large.json") * 8)  # more than the system's own buffers take
        for _ in range(20):
            await get(await rooms.dial(), "/icon.svg")
        assert not all(visitor.is_waiting for visitor in rooms.application.doorman._visitors)
    assert 0 < max(waiting) <= 128 * 1024


async def test_without_the_build_there_is_a_sentence_instead(tmp_path: Path) -> None:
    async with house(web_app=tmp_path / "nothing") as rooms:
        http = await rooms.dial()
        reply = await get(http, "/")
        assert (reply.status, reply["content-type"]) == (404, "text/plain; charset=utf-8")
        assert b"./run, which builds it" in reply.body
        assert (await get(http, "/assets/main.js")).error == "not_found"


async def test_a_host_may_have_no_pages() -> None:
    async with house(web_app=None) as rooms:
        assert (await get(await rooms.dial(), "/")).error == "not_found"


@pytest.mark.parametrize("name", ["run.sh", "notes", "über.js", "page.php", "two\nlines.js"])
def test_a_folder_with_what_no_build_makes_is_refused(built: Path, name: str) -> None:
    (built / name).write_text("x")
    with pytest.raises(StartError, match="no part of it"):
        Pages.read(built)


def test_a_link_out_of_the_folder_is_refused(built: Path) -> None:
    (built.parent / "secret.txt").write_text("x")
    (built / "link.txt").symlink_to(built.parent / "secret.txt")
    with pytest.raises(StartError, match="no part of it"):
        Pages.read(built)


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_FILES", 3), ("MAX_FILE_BYTES", 1000), ("MAX_TOTAL_BYTES", 100_000)]
)
def test_what_is_held_is_bounded(
    built: Path, limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, limit, value)
    with pytest.raises(StartError, match="larger than it can be"):
        Pages.read(built)


def test_the_gallery_is_drawn_under_the_policy_of_the_server() -> None:
    """Its screenshots would show an app that works, and people one that does not."""
    source = (ROOT / "web" / "app" / "dev" / "site.ts").read_text("utf-8")
    policy = re.search(r"POLICY = \[(.*?)\]", source, re.DOTALL)
    assert policy is not None
    assert "; ".join(re.findall(r'"([^"]+)"', policy[1])) == CONTENT_SECURITY_POLICY
