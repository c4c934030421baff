"""S-32 in a browser: what a page tells of its addresses, and when; the browser says what was gathered."""

from playwright.async_api import Browser, expect
from tests.attacks.server_process import ServerProcess as WebServer
from tests.web.conftest import Meet
from tests.web.rtc import connections, line_of, note_webrtc, ways


async def test_s32_nothing_is_made_before_a_call_is_accepted(meet: Meet, turn_server: WebServer) -> None:
    mira, odile = await meet("mira", at=turn_server.origin), await meet("odile", at=turn_server.origin)
    await note_webrtc(mira, odile)
    await mira.register()
    await odile.register()
    await mira.ring(odile.name)
    await odile.is_rung_by(mira.name)
    await mira.page.wait_for_timeout(500)  # a gathering that should not be would have begun
    for person in (mira, odile):
        assert await connections(person) == []
    await odile.button("ringIn.decline").click()
    await expect(mira.page.get_by_text(f"{odile.name} declined.")).to_be_visible()
    for person in (mira, odile):
        assert await connections(person) == []
    await mira.page.reload()
    await mira.is_online()
    await mira.call(odile)  # the control: now there are some
    for person in (mira, odile):
        await line_of(person)


async def test_s32_relay_only_pages_make_no_other_candidate(
    meet: Meet, turn_server: WebServer, plain_browser: Browser
) -> None:
    """In a browser that would tell them: neither to the page, nor to the peer, nor on the screen."""
    at = turn_server.origin
    mira, odile = (
        await meet("mira", at=at, using=plain_browser),
        await meet("odile", at=at, using=plain_browser),
    )
    await note_webrtc(mira, odile)
    await mira.register()
    await odile.register()
    await mira.call(odile)
    for person in (mira, odile):
        await line_of(person)
    await mira.write(odile.name, "over the line")
    await odile.reads("over the line")
    for person in (mira, odile):
        for one in await connections(person):
            assert one.policy == "relay"
            assert ways(one) == {"relay"}
            assert set(one.remote) == {"relay"}
            assert {url.split(":")[0] for url in one.servers} == {"turn"}
    own = await mira.page.evaluate(_WOULD_TELL)
    assert "host" in own  # the control: this browser names its own addresses to any page that asks


_WOULD_TELL = """async () => {
    const peer = new RTCPeerConnection({});
    const found = [];
    peer.onicecandidate = ({ candidate }) => { if (candidate?.type) found.push(candidate.type); };
    peer.createDataChannel("control");
    await peer.setLocalDescription();
    while (peer.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 20));
    peer.close();
    return found;
}"""
