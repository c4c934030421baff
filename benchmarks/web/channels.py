"""A file over the DataChannel of a call, against one with nothing on it between the same two programs."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from tests.web.person import Person

from benchmarks.figures import Figure
from benchmarks.web.people import call_a_program, go_direct, is_direct, is_home_again, take
from whisp import Conversation, FileOffered

__all__ = ["against_bare"]

_MIB: Final = 1024 * 1024
_MESSAGE_BYTES: Final = 64 * 1024
_SECONDS: Final = 120

_KEPT_BYTES: Final = 256 * _MIB
"""What a page keeps of files in one call; what is beyond goes to disk, and nobody is here to choose where."""

_WARM_UP_BYTES: Final = 4 * _MIB

_Mover: TypeAlias = Callable[[int], Awaitable[float]]
"""Moves so many bytes; returns the seconds it took."""

_BARE: Final = """
() => {
    const peer = new RTCPeerConnection({});
    const channel = peer.createDataChannel("bare", { negotiated: true, id: 0 });
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = 512 * 1024;
    const whole = async () => {
        while (peer.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 5));
        return peer.localDescription.sdp;
    };
    window.bare = {
        offer: async () => { await peer.setLocalDescription(); return whole(); },
        answer: async (sdp) => {
            await peer.setRemoteDescription({ type: "offer", sdp });
            await peer.setLocalDescription();
            return whole();
        },
        answered: async (sdp) => {
            await peer.setRemoteDescription({ type: "answer", sdp });
            while (channel.readyState !== "open") await new Promise((done) => setTimeout(done, 5));
        },
        send: async ([bytes, size]) => {
            const message = new Uint8Array(size);
            for (let sent = 0; sent < bytes; sent += size) {
                if (channel.bufferedAmount > 1024 * 1024) {
                    await new Promise((done) => { channel.onbufferedamountlow = done; });
                }
                channel.send(message);
            }
        },
        receive: (bytes) => new Promise((done) => {
            let got = 0;
            channel.onmessage = ({ data }) => { got += data.byteLength; if (got >= bytes) done(); };
        }),
    };
}
"""


async def against_bare(mira: Person, odile: Person, mib: int, rounds: int) -> list[Figure]:
    """Move `mib` MiB each way of travel in turn, straight between the two; report median ratios."""
    size = mib * _MIB
    return [
        *await _between_browsers(mira, odile, size, rounds),
        *await _with_python(mira, size, rounds),
    ]


async def _between_browsers(mira: Person, odile: Person, size: int, rounds: int) -> list[Figure]:
    if _WARM_UP_BYTES + rounds * size > _KEPT_BYTES:
        raise ValueError("all files of one call must fit into what a page keeps")
    for person in (mira, odile):
        await person.page.evaluate(_BARE)
    offer = await mira.page.evaluate("() => bare.offer()")
    answer = await odile.page.evaluate("(sdp) => bare.answer(sdp)", offer)
    await mira.page.evaluate("(sdp) => bare.answered(sdp)", answer)

    async def bare(size: int) -> float:
        received = asyncio.create_task(odile.page.evaluate("(bytes) => bare.receive(bytes)", size))
        await asyncio.sleep(0.05)
        started = time.perf_counter()
        await mira.page.evaluate("(what) => bare.send(what)", [size, _MESSAGE_BYTES])
        await received
        return time.perf_counter() - started

    await mira.call(odile)
    await go_direct(mira, odile)
    with tempfile.TemporaryDirectory(prefix="whisp-bench-") as folder:

        async def whisp(size: int) -> float:
            file = _random_file(Path(folder), size)
            await mira.offer(file)
            return await take(odile, file.name)

        times = await _in_turn(whisp, bare, size, rounds)
    await mira.hang_up()
    await is_home_again(mira, odile)
    return _figures("", size, times)


async def _with_python(mira: Person, size: int, rounds: int) -> list[Figure]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("bare", negotiated=True, id=0)
    await mira.page.evaluate(_BARE)
    offer = await mira.page.evaluate("() => bare.offer()")
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    await mira.page.evaluate("(sdp) => bare.answered(sdp)", peer.localDescription.sdp)

    async def bare(size: int) -> float:
        whole = asyncio.Event()
        received = 0

        def take(message: bytes) -> None:
            nonlocal received
            received += len(message)
            if received >= size:
                whole.set()

        channel.on("message", take)
        started = time.perf_counter()
        sending = asyncio.create_task(mira.page.evaluate("(what) => bare.send(what)", [size, _MESSAGE_BYTES]))
        async with asyncio.timeout(_SECONDS):
            await whole.wait()
        seconds = time.perf_counter() - started
        await sending
        channel.remove_listener("message", take)
        return seconds

    try:
        async with call_a_program(mira, allow_direct=True) as conversation:
            await mira.button("panel.askDirect").click()
            await is_direct(mira)
            with tempfile.TemporaryDirectory(prefix="whisp-bench-") as folder:

                async def whisp(size: int) -> float:
                    return await _page_to_python(mira, conversation, _random_file(Path(folder), size))

                times = await _in_turn(whisp, bare, size, rounds)
    finally:
        await peer.close()
    return _figures("_python", size, times)


async def _page_to_python(sender: Person, receiver: Conversation, file: Path) -> float:
    await sender.offer(file)
    while not isinstance(event := await receiver.receive(), FileOffered):
        pass
    started = time.perf_counter()
    await event.file.accept(file.parent)
    await event.file.done()
    return time.perf_counter() - started


async def _in_turn(whisp: _Mover, bare: _Mover, size: int, rounds: int) -> list[tuple[float, float]]:
    """Run both in each round, each first in every other one; a small round before them only warms up."""
    times = []
    for number in range(1 + rounds):
        amount = size if number else _WARM_UP_BYTES
        if number % 2:
            ours, theirs = await whisp(amount), await bare(amount)
        else:
            theirs, ours = await bare(amount), await whisp(amount)
        times.append((ours, theirs))
    return times[1:]


def _figures(suffix: str, size: int, times: list[tuple[float, float]]) -> list[Figure]:
    ratio = median(theirs / ours for ours, theirs in times)
    return [
        Figure(f"datachannel_vs_bare{suffix}", ratio, "times as fast", 0.8),
        Figure(f"datachannel{suffix}_mb_per_s", size / 1e6 / median(ours for ours, _ in times), "MB/s"),
        Figure(f"bare{suffix}_mb_per_s", size / 1e6 / median(theirs for _, theirs in times), "MB/s"),
    ]


def _random_file(folder: Path, size: int) -> Path:
    """Write a file under a name of its own, so that its card on the screen is told from those before."""
    file = folder / f"{os.urandom(4).hex()}.bin"
    with file.open("wb") as writing:
        for _ in range(size // _MIB):
            writing.write(os.urandom(_MIB))
    return file
