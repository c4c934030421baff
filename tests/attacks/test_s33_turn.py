"""S-33: a TURN server is no way into its host's network. coturn runs here with the documented configuration.

Who gets credentials at all, and that they name nobody, is in tests/server/turn.
"""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from tests.attacks.turn_client import FORBIDDEN, QUOTA_REACHED, TCP, UNAUTHORIZED, TurnClient
from tests.coturn import Coturn, coturn

INSIDE_4: Final = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.254",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
)
INSIDE_6: Final = (
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0.0.0.0",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:192.168.1.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2001::1",
    "2002:7f00:1::1",
    "fc00::1",
    "fd00::1",
    "fdff:ffff::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
OUTSIDE: Final = ("192.88.98.1", "11.0.0.1", "172.32.0.1", "9.9.9.9")
OUTSIDE_6: Final = ("2606:4700::1111", "2a00::1")


def client(relay: Coturn, name: str = "00ff", seconds: int = 600) -> TurnClient:
    """Return a client with credentials as the Whisp server makes them."""
    given = relay.credentials(name, seconds)
    assert isinstance(given.username, str)
    assert isinstance(given.credential, str)
    return TurnClient(relay.port, given.username, given.credential)


@contextmanager
def trap(host: str) -> Iterator[socket.socket]:
    """Listen where nothing must arrive."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.bind((host, 0))
        udp.setblocking(False)
        yield udp


async def test_s33_no_address_of_the_host_or_its_networks_can_be_reached() -> None:
    async with coturn(peers=()) as relay:
        with client(relay) as turn:
            assert turn.allocate() is None
            assert {ip: turn.permit(ip) for ip in OUTSIDE} == dict.fromkeys(OUTSIDE)
            assert {ip: turn.permit(ip) for ip in INSIDE_4} == dict.fromkeys(INSIDE_4, FORBIDDEN)
            assert {ip: turn.bind(ip, 22) for ip in INSIDE_4} == dict.fromkeys(INSIDE_4, FORBIDDEN)


async def test_s33_nor_by_any_way_of_spelling_them_in_ipv6() -> None:
    async with coturn("relay-ip=::1", peers=()) as relay:
        with client(relay) as turn:
            assert turn.allocate(6) is None
            assert {ip: turn.permit(ip) for ip in OUTSIDE_6} == dict.fromkeys(OUTSIDE_6)
            assert {ip: turn.permit(ip) for ip in INSIDE_6} == dict.fromkeys(INSIDE_6, FORBIDDEN)
            assert {ip: turn.bind(ip, 22) for ip in INSIDE_6} == dict.fromkeys(INSIDE_6, FORBIDDEN)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_s33_what_is_sent_without_permission_reaches_nobody(host: str) -> None:
    async with coturn("relay-ip=::1", peers=()) as relay:
        with trap(host) as udp, client(relay) as turn:
            assert turn.allocate(6 if ":" in host else 4) is None
            port = udp.getsockname()[1]
            for spelling in (host, "0.0.0.0" if ":" not in host else "::ffff:127.0.0.1"):
                turn.permit(spelling)
                turn.send(spelling, port, b"canary")
            await asyncio.sleep(0.2)
            with pytest.raises(BlockingIOError):
                udp.recv(100)


async def test_s33_the_trap_would_hear_what_is_let_through() -> None:
    async with coturn() as relay:
        with trap("127.0.0.1") as udp, client(relay) as turn:
            assert turn.allocate() is None
            assert turn.permit("127.0.0.1") is None
            turn.send("127.0.0.1", udp.getsockname()[1], b"canary")
            await asyncio.sleep(0.2)
            assert udp.recv(100) == b"canary"


async def test_s33_credentials_run_out_and_cannot_be_made_up() -> None:
    async with coturn(peers=()) as relay:
        with client(relay, seconds=-1) as turn:
            assert turn.allocate() == UNAUTHORIZED
        given = relay.credentials()
        assert isinstance(given.username, str)
        assert isinstance(given.credential, str)
        later = f"{int(time.time()) + 9999}:{given.username.partition(':')[2]}"
        for username, password in (
            (later, given.credential),
            (given.username, given.credential[::-1]),
            (given.username, ""),
            ("odile", "password"),
        ):
            with TurnClient(relay.port, username, password) as turn:
                assert turn.allocate() == UNAUTHORIZED


async def test_s33_one_device_in_one_call_gets_a_handful_of_allocations() -> None:
    async with coturn(peers=()) as relay:
        held = [client(relay, "00aa", 600 + number) for number in range(13)]
        outcomes = [turn.allocate() for turn in held]
        assert outcomes == [None] * 12 + [QUOTA_REACHED], "however often it asks for new credentials"
        with client(relay, "00bb") as other:
            assert other.allocate() is None
        for turn in held:
            turn.__exit__()


async def test_s33_tcp_is_not_relayed() -> None:
    async with coturn(peers=()) as relay:
        with client(relay) as turn:
            refused = turn.allocate(transport=TCP)
            assert refused is not None
            assert refused != UNAUTHORIZED
