"""S-32: who learns an address, and when. tests/client/test_tcp_line.py has the direct line's own rules."""

import asyncio
import socket
from typing import Any

import psutil
import pytest
from tests.attacks.scene import scene
from tests.e2e.people import connect, in_time, next_of, next_ring, soon

from whisp import Client, FileOffered, Line, MemoryVault, NoAnswerError, RingEnd, TextReceived


def listening() -> set[int]:
    return {c.laddr.port for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"}


async def test_s32_nothing_leaves_the_callee_before_it_accepts() -> None:
    async with scene("odile", "sefa", allow_direct=True) as (liar, (odile, sefa)):
        await soon(lambda: not (odile._tasks or sefa._tasks))
        before = len([entry for entry in liar.seen if entry[1] == sefa.device_id and entry[0] == "to_server"])
        requests = len(liar.requests)
        with pytest.raises(NoAnswerError):
            await odile.call("sefa", timeout=0.3)
        ring = sefa._rings._items[0]
        said = [entry for entry in liar.seen if entry[1] == sefa.device_id and entry[0] == "to_server"]
        assert len(said) == before
        assert {path for path, _ in liar.requests[requests:]} <= {"/v1/bundles", "/v1/requestSession"}
        assert await in_time(ring.ended()) is RingEnd.CANCELLED


async def test_s32_relay_only_listens_nowhere_and_dials_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    async with scene("odile", "sefa") as (_, (odile, sefa)):
        dialled: list[Any] = []
        loop = asyncio.get_running_loop()
        for name in ("create_server", "create_connection", "create_datagram_endpoint", "getaddrinfo"):
            original = getattr(loop, name)

            def note(*args: Any, _name: str = name, _original: Any = original, **options: Any) -> Any:
                dialled.append(_name)
                return _original(*args, **options)

            monkeypatch.setattr(loop, name, note)
        monkeypatch.setattr(socket.socket, "connect", lambda *_: dialled.append("connect"))
        ports = listening()
        one, two = await connect(odile, sefa)
        await one.send_text("https://example.org/preview-me")
        await next_of(two, TextReceived)
        (tmp_path / "picture.png").write_bytes(b"\x89PNG" + bytes(100_000))
        outgoing = await one.send_file(tmp_path / "picture.png")
        file = (await next_of(two, FileOffered)).file
        (tmp_path / "in").mkdir()
        await file.accept(tmp_path / "in")
        await outgoing.done()
        assert one.line is two.line is Line.RELAYED
        assert listening() == ports
        assert dialled == []
        await one.hang_up()


async def test_s32_one_side_alone_cannot_make_it_direct() -> None:
    async with (
        scene("odile", allow_direct=True) as (liar, (odile,)),
        Client(liar.origin, MemoryVault()) as sefa,
    ):
        await sefa.register("sefa")
        await sefa.login()
        ports = listening()
        calling = asyncio.create_task(odile.call("sefa"))
        ring = await next_ring(sefa)
        assert ring.wants_direct
        two = await ring.accept()
        one = await calling
        await one.send_text("x")
        await next_of(two, TextReceived)
        await asyncio.sleep(0.1)
        assert one.line is two.line is Line.RELAYED
        assert listening() == ports
        await one.hang_up()
