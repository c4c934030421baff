"""S-25, the server's side: it has no page a script could run in, and names no other origin."""

import re

import pytest
from tests.server.house import house

SCRIPT = "<script>alert('CNRY-25')</script>"


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/docs/oauth2-redirect", "/", "/index.html", "/favicon.ico", "/static/x.js"]
)
async def test_s25_there_are_no_pages(path: str) -> None:
    async with house() as rooms:
        reply = await (await rooms.dial()).ask("GET", path, headers={"Accept": "text/html"})
        assert (reply.status, reply.error, reply["content-type"]) == (404, "not_found", "application/json")


async def test_s25_no_answer_repeats_what_was_asked() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        quoted = SCRIPT.replace(" ", "").replace("<", "%3C").replace(">", "%3E")
        replies = [
            await odile.http.ask("GET", f"/{quoted}"),
            await odile.http.ask("GET", f"/v1/server?x={quoted}"),
            await odile.http.ask("GET", "/v1/server", headers={"Host": SCRIPT}),
            await odile.http.ask("GET", "/v1/server", headers={"User-Agent": SCRIPT, "Referer": SCRIPT}),
            await odile.http.ask("GET", "/v1/account", headers={"Authorization": f"Bearer {SCRIPT}"}),
            await odile.discover(SCRIPT),
            await odile.ask("POST", "/v1/usernames/check", {"username": SCRIPT}),
            await odile.ask("POST", "/v1/discover", {"username": {SCRIPT: SCRIPT}}),
            await odile.ask("POST", "/v1/discover", SCRIPT),
        ]
        for reply in replies:
            assert b"CNRY" not in reply.body
            assert not any("CNRY" in value for _, value in reply.headers)
            assert reply["content-type"] == "application/json"
            assert reply["x-content-type-options"] == "nosniff"


async def test_s25_no_answer_names_another_origin() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        for path in ("/openapi.json", "/v1/server", "/v1/account", "/nothing"):
            reply = await odile.ask("GET", path)
            named = set(re.findall(rb"[a-z]+://[^\"\\s/]+", reply.body))
            assert named <= {odile.origin.encode()}
            assert reply["location"] is None
            assert reply["link"] is None
