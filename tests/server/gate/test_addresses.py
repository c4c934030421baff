"""Whose address counts: never what a client says of itself."""

from ipaddress import ip_network

import pytest

from whisp.server.gate.addresses import ClientAddresses, networks_of

PROXIES = ClientAddresses([ip_network("10.0.0.0/8"), ip_network("2001:db8:f::/48")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # not a proxy: not believed
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),  # the left is the client's invention
        ("10.0.0.1", ["1.2.3.4", "198.51.100.1"], "198.51.100.1"),  # in two headers as in one
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:f::1", ["2001:DB8:0:0::7"], "2001:db8::7"),
        ("10.0.0.1", [", ".join(["1.2.3.4"] + ["10.0.0.2"] * 100)], "10.0.0.2"),
    ],
)
def test_the_client_is_the_last_who_is_no_proxy(peer: str, forwarded: list[str], client: str) -> None:
    assert PROXIES.of(peer, forwarded) == client


def test_without_proxies_nobody_is_believed() -> None:
    assert ClientAddresses([]).of("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"
    assert not ClientAddresses([]).is_proxy("127.0.0.1")


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("203.0.113.5", ("203.0.113.5",)),
        ("::ffff:203.0.113.5", ("203.0.113.5",)),
        ("2001:db8:1:2:3:4:5:6", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
        ("", ("",)),
        ("unix", ("unix",)),
    ],
)
def test_what_an_address_counts_as(address: str, networks: tuple[str, ...]) -> None:
    assert networks_of(address) == networks
