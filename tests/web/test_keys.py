"""Keys: passkeys that open them, storage that is lost, numbers that people compare, and keys that change."""

import re
import shutil
from pathlib import Path

from playwright.async_api import CDPSession, Page, expect
from tests.attacks.server_process import serving
from tests.e2e.people import next_ring
from tests.web.conftest import Meet
from tests.web.person import Person
from tests.web.words import pattern, say

from whisp import Client, MemoryVault
from whisp.testing import ServerProcess

_DENIED = """navigator.mediaDevices.getUserMedia = async () => {
    throw new DOMException("no", "NotAllowedError");
};"""

_LOSE = """async () => {
    for (const { name } of await indexedDB.databases()) {
        await new Promise((done, failed) => {
            const request = indexedDB.deleteDatabase(name);
            [request.onsuccess, request.onerror, request.onblocked] = [done, failed, failed];
        });
    }
}"""


async def authenticator(page: Page) -> CDPSession:
    """Give a page a passkey of the platform, whose person is there and is who they should be."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "ctap2Version": "ctap2_1",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        "hasPrf": True,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    session.authenticator = made["authenticatorId"]  # type: ignore[attr-defined]  # kept with what knows it
    return session


async def test_a_passkey_opens_the_device_and_nothing_else_does(meet: Meet, server: ServerProcess) -> None:
    mira = await meet("mira", at=server.origin.replace("127.0.0.1", "localhost"))  # passkeys belong to names
    passkey = await authenticator(mira.page)
    await mira.open()
    page = mira.page
    await page.get_by_label(say("onboarding.name")).fill(mira.name)
    await page.get_by_role("radio", name=say("onboarding.openPasskey")).check(force=True)
    await mira.button("onboarding.make").click()
    await mira.is_home()
    await mira.is_online()
    await page.reload()
    await mira.button("locked.openPasskey").click()
    await mira.is_home()
    await mira.is_online()
    known = {"authenticatorId": passkey.authenticator}  # type: ignore[attr-defined]
    await passkey.send("WebAuthn.setUserVerified", {**known, "isUserVerified": False})
    await page.reload()
    await mira.button("locked.openPasskey").click()
    await expect(page.get_by_text(say("locked.passkey"))).to_be_visible()
    await expect(page.get_by_text(mira.name)).to_have_count(0)


async def test_storage_that_was_lost_is_explained(meet: Meet) -> None:
    mira = await meet("mira")
    await mira.register()
    await mira.page.goto(f"{mira.origin}/v1/server")
    await mira.page.evaluate(_LOSE)
    await mira.open()
    await expect(mira.page.get_by_text(say("onboarding.lostTitle"))).to_be_visible()
    await expect(mira.page.get_by_text(say("onboarding.lostText"))).to_be_visible()
    again = Person(f"{mira.name}-again", mira.context, mira.page, mira.watch, mira.origin)
    await again.register()


async def opens_safety(person: Person) -> str:
    """Open the safety number in a call; return its digits."""
    await person.page.get_by_role("button", name=say("panel.notCompared")).click()
    await expect(person.page.get_by_role("heading", name=pattern("safety.title"))).to_be_visible()
    groups = person.page.get_by_role("list", name=say("safety.digits")).get_by_role("listitem")
    await expect(groups).to_have_count(12)
    return " ".join(await groups.all_inner_texts())


async def test_both_see_the_same_sixty_digits(meet: Meet, server: ServerProcess) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    digits = await opens_safety(mira)
    assert re.fullmatch(r"(\d{5} ){11}\d{5}", digits)
    assert await opens_safety(odile) == digits
    await mira.button("safety.matches").click()
    await expect(mira.page.get_by_role("button", name=re.compile("^Compared "))).to_be_visible()
    await mira.hang_up()
    await mira.is_gone()
    await odile.is_gone()
    await mira.done()
    async with Client(server.origin, MemoryVault()) as sefa:
        await sefa.register(f"{mira.name}-py")
        await sefa.login()
        await mira.ring(sefa.username)
        async with await (await next_ring(sefa)).accept():
            await mira.is_in_call(sefa.username)
            with_python = await opens_safety(mira)
            assert with_python == sefa.safety_number(mira.name).digits != digits


async def test_a_camera_that_is_missing_or_denied_has_its_sentence(meet: Meet) -> None:
    mira, odile = await meet("mira", permissions=["camera"]), await meet("odile")
    await odile.context.add_init_script(_DENIED)
    await mira.register()
    await odile.register()
    await mira.call(odile)
    for person, sentence in (
        (mira, "There is no camera here. Compare the digits."),
        (odile, "The camera is not allowed. Allow it in the browser, or compare the digits."),
    ):
        await opens_safety(person)
        await person.button("safety.scan").click()
        await expect(person.page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()


async def test_s04_a_key_that_changed_stops_the_call_before_it_rings(meet: Meet, tmp_path: Path) -> None:
    """The server gives another account a name that mira knows and has compared."""
    async with serving(tmp_path / "true") as server:
        mira = await meet("mira", at=server.origin)
        for part in ("WebSocket connection to", "net::ERR_CONNECTION_REFUSED"):
            mira.watch.allow(part)
        await mira.register()
        server.process.terminate()
        await server.ended()
    shutil.copytree(tmp_path / "true", tmp_path / "false")
    async with serving(tmp_path / "true", server.port):
        await mira.page.reload()
        await mira.is_online()
        odile = await meet("odile", at=server.origin)
        await odile.register()
        await mira.call(odile)
        await opens_safety(mira)
        await mira.button("safety.matches").click()
        await mira.hang_up()
        await odile.is_gone()
        await odile.context.close()
        await mira.done()
    async with serving(tmp_path / "false", server.port):
        impostor = await meet("odile", at=server.origin)
        impostor.name = odile.name
        await impostor.register()
        await mira.page.reload()
        await mira.is_online()
        await mira.ring(odile.name)
        await expect(mira.page.get_by_role("heading", name="This call was stopped.")).to_be_visible()
        told = await mira.page.get_by_role("main").inner_text()
        assert pattern("stopped.comparedKey", name=odile.name).search(told), told
        assert "Nothing was sent." in told
        await impostor.is_home()
        await expect(impostor.page.get_by_role("alertdialog")).to_have_count(0)
        await mira.button("stopped.leave").click()
        await mira.is_home()
        await expect(mira.page.get_by_text(say("presence.newKey"))).to_be_visible()
