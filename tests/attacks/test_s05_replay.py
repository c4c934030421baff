"""S-05: everything recorded in one session is fed into it again, and into others."""

import asyncio

import pytest
from tests.attacks.scene import ANSWER, LINE, RELAY, RING, ROUTE, SIGNAL, scene
from tests.e2e.people import connect, in_time, is_idle, next_of, next_ring, soon
from tests.liar import Liar

from whisp import Client, Conversation, NoAnswerError, TextReceived
from whisp.wire.ids import DeviceId

Recording = list[tuple[str, bytes, bytes]]


async def talk(one: Conversation, two: Conversation, word: str, count: int = 10) -> None:
    """Exchange some texts, and see them arrive once and in order."""
    for number in range(count):
        await one.send_text(f"{word} {number}")
        await two.send_text(f"{word} {number}")
    for side in (one, two):
        assert [(await next_of(side, TextReceived)).text for _ in range(count)] == [
            f"{word} {n}" for n in range(count)
        ]


async def replay(liar: Liar, recording: Recording, *clients: Client, route_of: bytes | None = None) -> None:
    """Say again to each client what was said to it, on today's routes where frames name one."""
    for direction, device, frame in recording:
        if direction != "to_client":
            continue
        for client in clients:
            if client.device_id == device:
                if frame[0] == RELAY and route_of is not None:
                    for route in client._switchboard._routes:
                        liar.link(DeviceId(device)).to_client(frame[:1] + route + frame[17:])
                else:
                    liar.link(DeviceId(device)).to_client(frame)
    await asyncio.sleep(0.15)


def unread(conversation: Conversation) -> list[str]:
    return [event.text for event in conversation._inbox._events if isinstance(event, TextReceived)]


async def test_s05_a_session_takes_nothing_of_its_own_twice() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)
        await talk(one, two, "once")
        recording = [entry for entry in liar.seen if entry[2][0] == RELAY]
        assert len(recording) >= 20
        refused = two._session.refused_frames
        await replay(liar, recording, odile, sefa)
        assert unread(one) == unread(two) == []
        assert two._session.repeated_frames >= 10
        assert two._session.refused_frames == refused
        await talk(one, two, "after")
        await one.hang_up()


async def test_s05_frames_of_one_session_mean_nothing_in_the_next() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)
        await talk(one, two, "first")
        await one.hang_up()
        await soon(lambda: is_idle(odile, sefa))
        recording = [entry for entry in liar.seen if entry[2][0] in (RELAY, LINE, SIGNAL)]
        one, two = await connect(odile, sefa)
        await replay(liar, recording, odile, sefa, route_of=b"today")  # the goodbye of the first among them
        assert one.ended is None
        assert two.ended is None
        assert unread(one) == unread(two) == []
        assert two._session.refused_frames >= 10
        await talk(one, two, "second")
        await one.hang_up()


async def test_s05_frames_mean_nothing_to_a_third_person() -> None:
    async with scene("odile", "sefa", "mila") as (liar, (odile, sefa, mila)):
        one, two = await connect(odile, sefa)
        three, four = await connect(odile, mila)
        await talk(one, two, "private")
        heard = [f for way, d, f in liar.seen if way == "to_client" and d == sefa.device_id]
        frames = [frame for frame in heard if frame[0] == RELAY]
        route = next(iter(mila._switchboard._routes))
        for frame in frames:
            liar.link(mila.device_id).to_client(frame[:1] + route + frame[17:])
        await asyncio.sleep(0.1)
        assert unread(four) == []
        assert four._session.refused_frames == len(frames)
        await talk(three, four, "still fine")
        await one.hang_up()
        await three.hang_up()


async def test_s05_an_offer_rings_once() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, _two = await connect(odile, sefa)
        await one.hang_up()
        await soon(lambda: is_idle(odile, sefa))
        (ring,) = liar.frames(RING, "to_client")
        for _ in range(5):
            liar.link(sefa.device_id).to_client(ring)
        await asyncio.sleep(0.1)
        assert not sefa._rings._items
        assert not sefa._switchboard.is_busy
        await sefa.logout()
        await sefa.login()
        liar.link(sefa.device_id).to_client(ring)
        await asyncio.sleep(0.1)
        assert not sefa._rings._items


async def test_s05_an_old_accept_does_not_answer_a_new_ring() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, _two = await connect(odile, sefa)
        await one.hang_up()
        await soon(lambda: is_idle(odile, sefa))
        (answer,) = [f for f in liar.frames(SIGNAL, "to_client") if f[17] == ANSWER]
        liar.to_client = lambda link, frame: [] if frame[0] == RING else [frame]
        calling = asyncio.create_task(odile.call("sefa", timeout=0.4))
        await soon(lambda: len(liar.asked("/v1/requestSession")) == 2)
        call_id = next(iter(odile._switchboard._outgoing))
        liar.link(odile.device_id).to_client(answer)
        liar.link(odile.device_id).to_client(answer[:21] + call_id + answer[37:])
        with pytest.raises(NoAnswerError):
            await in_time(calling)


async def test_s05_invented_routes_and_lines_end_nothing() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)
        for kind in (LINE, ROUTE):
            for frame in liar.frames(kind, "to_client"):
                liar.link(odile.device_id).to_client(frame)
        liar.link(odile.device_id).to_client(bytes((LINE,)) + bytes(32) + b"\x03")
        liar.link(odile.device_id).to_client(bytes((ROUTE,)) + bytes(48))
        liar.link(odile.device_id).to_client(b"\xff garbage")
        await talk(one, two, "unmoved", 3)
        await one.hang_up()


async def test_s05_a_second_ring_does_not_reuse_a_one_time_pre_key() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        for _ in range(4):
            calling = asyncio.create_task(odile.call("sefa"))
            ring = await next_ring(sefa)
            await ring.decline()
            with pytest.raises(Exception, match="declined"):
                await calling
        used = [ring[1 + 16 + 2 + 5 + 44 :][:8] for ring in liar.frames(RING, "to_client")]
        assert len(set(used)) == 4
        assert bytes(8) not in used
