"""S-25, the server's side: its page runs only what was built; no answer repeats a request or names others."""

import re
from pathlib import Path

import pytest
from tests.server.house import house

CSP = "content-security-policy"
SCRIPT = "<script>alert('CNRY-25')</script>"


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/docs/oauth2-redirect", "/index.html", "/favicon.ico", "/static/x.js"]
)
async def test_s25_there_is_no_page_but_the_app(path: str, built: Path) -> None:
    async with house(web_app=built) as rooms:
        reply = await (await rooms.dial()).ask("GET", path, headers={"Accept": "text/html"})
        assert (reply.status, reply.error, reply["content-type"]) == (404, "not_found", "application/json")


async def test_s25_the_app_runs_only_what_was_built(built: Path) -> None:
    """Nothing inline, nothing evaluated, nothing from elsewhere, no text as script; on each of its files."""
    async with house(web_app=built) as rooms:
        http = await rooms.dial()
        for path in ("/", "/service-worker.js", "/assets/main-Ab3_x-9Z.js", "/icon.svg"):
            reply = await http.ask("GET", path)
            assert reply.status == 200
            assert reply["x-content-type-options"] == "nosniff"
            parts = [part.partition(" ") for part in str(reply[CSP]).split("; ")]
            policy = {name: sources for name, _, sources in parts}
            assert policy.pop("default-src") == "'none'"
            assert policy.pop("require-trusted-types-for") == "'script'"
            assert policy.pop("trusted-types") == "vue whisp"
            sources = {source for listed in policy.values() for source in listed.split()}
            assert sources == {"'none'", "'self'", "blob:"}
            assert {name for name in policy if "blob:" in policy[name]} == {"img-src", "media-src"}
            assert {name for name in policy if policy[name] == "'none'"} == {
                "base-uri",
                "form-action",
                "frame-ancestors",
            }


async def test_s25_no_answer_repeats_what_was_asked(built: Path) -> None:
    async with house(web_app=built) as rooms:
        odile = await rooms.person("odile")
        quoted = SCRIPT.replace(" ", "").replace("<", "%3C").replace(">", "%3E")
        replies = [
            await odile.http.ask("GET", f"/{quoted}"),
            await odile.http.ask("GET", f"/v1/server?x={quoted}"),
            await odile.http.ask("GET", f"/?x={quoted}"),
            await odile.http.ask("GET", f"/assets/{quoted}.js"),
            await odile.http.ask("POST", "/", headers={"X": SCRIPT}),
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
            assert reply["content-type"] in ("application/json", "text/html; charset=utf-8")
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
