"""S-24 in a browser: a page the victim visits can neither frame the app, nor open it, nor speak for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.web.foreign import foreign_site

from whisp.testing import ServerProcess


@pytest_asyncio.fixture(loop_scope="session")
async def evil(browser: Browser) -> AsyncIterator[Page]:
    """A page of another origin."""
    async with foreign_site("<!doctype html><title>evil</title><iframe name=frame></iframe>") as origin:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(origin)
        yield page
        await context.close()


async def test_s24_the_app_cannot_be_framed(evil: Page, server: ServerProcess) -> None:
    frame = evil.frame("frame")
    assert frame is not None
    for address in (f"{evil.url}own", f"{server.origin}/", f"{server.origin}/v1/server"):
        async with asyncio.timeout(10):
            await evil.evaluate("(url) => { frames[0].location = url; }", address)
            shown = address if address.startswith(evil.url) else "chrome-error://chromewebdata/"
            while frame.url != shown:
                await asyncio.sleep(0.02)
        await evil.evaluate("() => { frames[0].location = 'about:blank'; }")


async def test_s24_who_opens_the_app_has_no_hold_on_it(evil: Page, server: ServerProcess) -> None:
    async with evil.context.expect_page() as opened:
        await evil.evaluate("(url) => { window.opened = open(url); }", server.origin)
    app = await opened.value
    await app.wait_for_load_state()
    assert app.url == server.origin + "/"
    assert await app.evaluate("opener") is None
    assert await evil.evaluate("opened.closed")  # severed: for the opener it is as if it had been closed


async def test_s24_a_foreign_page_gets_no_answer(evil: Page, server: ServerProcess) -> None:
    outcomes = await evil.evaluate(
        """async (origin) => {
            const ask = async (path, options) => {
                try {
                    const answer = await fetch(origin + path, options);
                    return `${answer.type} ${(await answer.text()).length}`;
                } catch (error) { return error.name; }
            };
            const socket = (url) => new Promise((resolve) => {
                const opened = new WebSocket(url);
                opened.onopen = () => resolve("open");
                opened.onclose = () => resolve("closed");
            });
            const load = (tag, attribute) => new Promise((resolve) => {
                const element = document.createElement(tag);
                element.onload = () => resolve("loaded");
                element.onerror = () => resolve("refused");
                element[attribute] = origin + "/";
                document.body.append(element);
            });
            return {
                page: await ask("/", { credentials: "include" }),
                api: await ask("/v1/server", { credentials: "include" }),
                blind: await ask("/", { mode: "no-cors", credentials: "include" }),
                form: await ask("/v1/usernames/check", {
                    method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" },
                    body: '{"username":"odile"}',
                }),
                odd: await ask("/v1/account", { method: "PROPFIND", headers: { "X-A": "1" } }),
                socket: await socket(origin.replace("http", "ws") + "/v1/connect"),
                script: await load("script", "src"),
                image: await load("img", "src"),
            };
        }""",
        server.origin,
    )
    assert outcomes == {
        "page": "TypeError",
        "api": "TypeError",
        "blind": "TypeError",  # CORP: not even an answer that cannot be read
        "form": "TypeError",
        "odd": "TypeError",
        "socket": "closed",
        "script": "refused",
        "image": "refused",
    }


async def test_s24_the_same_calls_are_answered_to_its_own_page(
    browser: Browser, server: ServerProcess
) -> None:
    """The control: what fails above fails for its origin alone."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(server.origin)
    assert await page.evaluate("async () => (await fetch('/v1/server')).status") == 200
    opened = await page.evaluate(
        """() => new Promise((resolve) => {
            const socket = new WebSocket(`ws://${location.host}/v1/connect`);
            socket.onopen = () => { socket.close(); resolve("open"); };
            socket.onclose = () => resolve("closed");
        })"""
    )
    assert opened == "open"
    await context.close()
