"""A page says that it can be rung when a ring would arrive, and not before."""

import asyncio

from playwright.async_api import expect
from tests.liar import Link, lying_server
from tests.web.conftest import Meet

PRE_KEYS = b"\x03"


async def test_it_can_be_rung_once_the_server_has_its_pre_keys(meet: Meet) -> None:
    held: list[tuple[Link, bytes]] = []

    def hold(link: Link, frame: bytes) -> list[bytes]:
        if frame[:1] != PRE_KEYS:
            return [frame]
        held.append((link, frame))
        return []

    async with lying_server() as liar:
        liar.to_server = hold
        mira, odile = await meet("mira", at=liar.origin), await meet("odile", at=liar.origin)
        await mira.open()
        await mira.page.get_by_label(mira.say("onboarding.name")).fill(mira.name)
        await mira.button("onboarding.make").click()
        await mira.is_home()
        async with asyncio.timeout(10):
            while not held:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        await expect(mira.page.get_by_text(mira.say("home.canRing"))).to_have_count(0)
        await expect(mira.page.get_by_text(mira.say("home.cannotRing")).first).to_be_attached()
        liar.be_honest()
        link, frame = held[-1]
        link.to_server(frame)
        await mira.is_online()
        await odile.register()
        await odile.call(mira)
