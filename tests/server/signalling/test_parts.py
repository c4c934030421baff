"""The hub's parts one by one: brakes, pulse, links, the door."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.signalling.live import FakeConnection

from whisp.server import limits
from whisp.server.signalling.brakes import Brakes
from whisp.server.signalling.connection import Inbox
from whisp.server.signalling.door import Door, UpgradeRequest, accept_key
from whisp.server.signalling.effects import Identify
from whisp.server.signalling.hub import _network
from whisp.server.signalling.pulse import Pulse
from whisp.server.signalling.relay import NO_LINKS, Exchange, Link, head_of, websocket_header
from whisp.wire.ids import DeviceId, RouteId

ODILE, SEFA = DeviceId(b"o" * 16), DeviceId(b"s" * 16)
FAR, NEAR = RouteId(b"f" * 16), RouteId(b"n" * 16)


def test_brakes_let_go_when_the_last_reason_is_gone() -> None:
    brakes, sender, slow, other = Brakes(), FakeConnection(), FakeConnection(), FakeConnection()
    brakes.hold(sender, slow)
    brakes.hold(sender, slow)
    brakes.hold(sender, other)
    brakes.hold(sender, ("flooding", sender))
    seen = [sender.is_paused]
    for reason in (slow, other, ("flooding", sender)):
        brakes.release(reason)
        seen.append(sender.is_paused)
    assert seen == [True, True, True, False]
    assert len(brakes) == 0


def test_a_socket_that_goes_holds_nobody_and_is_read_to_its_end() -> None:
    brakes, sender, slow = Brakes(), FakeConnection(), FakeConnection()
    brakes.hold(sender, slow)
    brakes.hold(slow, sender)
    brakes.forget(slow)
    assert not slow.is_paused
    assert not sender.is_paused
    brakes.release(sender)
    assert len(brakes) == 0
    assert brakes._held == {}


def test_every_socket_is_pinged_once_an_interval_and_the_silent_are_named() -> None:
    pulse, sockets = Pulse(), [FakeConnection() for _ in range(200)]
    for each in sockets:
        pulse.hear(each)
    beats = round(limits.PING_SECONDS / limits.SWEEP_SECONDS)
    assert [silent for _ in range(beats) for silent in pulse.beat()] == []
    assert {each.pings for each in sockets} == {1}
    talkers = sockets[:50]
    for each in talkers:
        each.allowance -= 1
    silent = {id(each) for _ in range(beats) for each in pulse.beat()}
    assert silent == {id(each) for each in sockets[50:]}
    for each in sockets[50:]:
        pulse.discard(each)
    assert len(pulse) == 50


def test_a_refilled_allowance_is_a_sign_of_life() -> None:
    pulse, socket = Pulse(), FakeConnection()
    pulse.hear(socket)
    beats = round(limits.PING_SECONDS / limits.SWEEP_SECONDS)
    for _ in range(beats):
        pulse.beat()
    pulse.hear(socket)  # spent and refilled to the very same number
    assert [silent for _ in range(beats) for silent in pulse.beat()] == []


def test_links_lead_from_one_socket_to_the_other_and_die_slowly() -> None:
    exchange, odile, sefa = Exchange(), FakeConnection(), FakeConnection()
    exchange.attach(ODILE, odile)
    exchange.open(ODILE, FAR, SEFA, NEAR)
    exchange.open(SEFA, NEAR, ODILE, FAR)
    link = odile.links[head_of(FAR)]
    assert link.head == head_of(NEAR)
    reached = [link.toward.connection]
    exchange.attach(SEFA, sefa)
    reached.append(link.toward.connection)
    assert head_of(FAR) not in sefa.links
    exchange.detach(SEFA)
    reached.append(link.toward.connection)
    assert reached == [None, sefa, None]
    assert sefa.links is NO_LINKS
    exchange.close(ODILE, FAR, 0)
    exchange.close(ODILE, FAR, 0)
    exchange.close(SEFA, NEAR, 0)
    assert odile.links[head_of(FAR)].toward.connection is None
    exchange.expire(limits.TOMBSTONE_SECONDS - 1)
    assert head_of(FAR) in odile.links
    exchange.expire(limits.TOMBSTONE_SECONDS)
    assert odile.links == {}
    assert len(exchange) == 1  # SEFA's place is gone with its last link
    exchange.detach(ODILE)
    assert len(exchange) == 0
    assert NO_LINKS == {}


def test_dead_links_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whisp.server.signalling.relay.MAX_TOMBSTONES", 3)
    exchange, odile = Exchange(), FakeConnection()
    exchange.attach(ODILE, odile)
    for n in range(5):
        route = RouteId(bytes((n,)) * 16)
        exchange.open(ODILE, route, SEFA, NEAR)
        exchange.close(ODILE, route, 0)
    assert len(odile.links) == 3


@given(st.integers(0, 2**20))
def test_a_prefix_is_a_websocket_header_and_the_head(size: int) -> None:
    header = websocket_header(size)
    assert header[0] == 0x82
    stated = header[1] if size < 126 else int.from_bytes(header[2:], "big")
    assert stated == size
    assert len(header) == (2 if size < 126 else 4 if size < 65536 else 10)
    link = Link(head_of(NEAR), Exchange()._desks.setdefault(SEFA, None))  # type: ignore[arg-type]
    assert link.prefix(size) == link.prefix(size) == header + head_of(NEAR)
    assert link.prefix(size + 1) == websocket_header(size + 1) + head_of(NEAR)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_host_counts_by_its_64(address: str, network: str) -> None:
    assert _network(address) == network


def test_a_request_head_is_read_strictly() -> None:
    head = b"GET /v1/connect HTTP/1.1\r\nHost: a\r\norigin:  b \r\nOrigin: c\r\n\r\n"
    request = UpgradeRequest.parse(head)
    assert request is not None
    assert (request.method, request.path) == ("GET", "/v1/connect")
    assert request.all("origin") == ["b", "c"]
    assert request.all("missing") == []
    for broken in (
        b"",
        b"GET /\r\n\r\n",
        head[:-2],
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
    ):
        assert UpgradeRequest.parse(broken) is None


def test_the_accept_key_is_the_rfc_s() -> None:
    request = UpgradeRequest("GET", "/v1/connect", (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),))
    assert accept_key(request) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, None),
        ({"origin": ["good"]}, None),
        ({"origin": ["good", "good"]}, 403),
        ({"origin": ["bad"]}, 403),
        ({"host": []}, 421),
        ({"host": ["good", "good"]}, 421),
        ({"host": ["bad"]}, 421),
        ({"sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ=="] * 2}, 400),
        ({"sec-websocket-version": ["13", "13"]}, 400),
        ({"transfer-encoding": ["chunked"]}, 400),
    ],
)
def test_s24_who_may_upgrade(changes: dict[str, list[str]], status: int | None, inbox: Inbox) -> None:
    fields = {
        "host": ["good"],
        "sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ=="],
        "sec-websocket-version": ["13"],
        **changes,
    }
    headers = tuple((name, value) for name, values in fields.items() for value in values)
    door = Door(inbox, lambda host: host == "good", lambda origin: origin == "good")
    refusal = door.refusal(UpgradeRequest("GET", "/v1/connect", headers))
    assert (refusal.status if refusal else None) == status
    wrong_method = door.refusal(UpgradeRequest("POST", "/v1/connect", headers))
    assert wrong_method is not None


@pytest.fixture
def inbox() -> Inbox:
    return None  # type: ignore[return-value] # the door only passes it on


def test_a_token_is_not_shown() -> None:
    assert "CNRY" not in repr(Identify("CNRY-token"))
