"""S-07 in a browser: another certificate on the line than the handshake named ends the call, unheard."""

import pytest
from playwright.async_api import expect
from tests.attacks.server_process import ServerProcess as WebServer
from tests.web.conftest import Meet
from tests.web.rtc import ANOTHER_CERTIFICATE, connections, note_webrtc
from tests.web.words import pattern, say


@pytest.mark.parametrize("impostor_rings", [True, False])
async def test_s07_another_certificate_on_the_line_stops_the_call(
    meet: Meet, turn_server: WebServer, impostor_rings: bool
) -> None:
    mira, impostor = await meet("mira", at=turn_server.origin), await meet("odile", at=turn_server.origin)
    await note_webrtc(mira)
    await note_webrtc(impostor)
    await impostor.context.add_init_script(ANOTHER_CERTIFICATE)
    await mira.register()
    await impostor.register()
    caller, callee = (impostor, mira) if impostor_rings else (mira, impostor)
    await caller.ring(callee.name)
    await callee.is_rung_by(caller.name)
    await callee.button("ringIn.accept").click()
    for person in (mira, impostor):
        await expect(person.page.get_by_role("heading", name=say("stopped.title"))).to_be_visible()
    told = await mira.page.get_by_role("main").inner_text()
    reasons = {key: pattern(f"stopped.{key}", name=impostor.name) for key in ("tampered", "protocol")}
    # whoever sees it first hangs up, and the other may hear that before it sees for itself
    assert any(reason.search(told) for reason in reasons.values()), told
    assert say("stopped.wiped") in told
    made = await connections(mira)
    assert made  # there was a line to attack
    for one in made:
        assert (one.received, one.is_open, one.state) == (0, False, "closed")
