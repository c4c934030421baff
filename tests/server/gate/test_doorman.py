"""Places at the door: who gets one, who must give one up, and when time is up."""

import asyncio

import pytest

from whisp.server.gate import doorman
from whisp.server.gate.doorman import MAX_VOUCHED_PER_DEVICE, Doorman
from whisp.wire.ids import DeviceId

ODILE = DeviceId(b"o" * 16)


class Guest:
    """A connection that does what connections do."""

    def __init__(self, door: Doorman) -> None:
        self.door = door
        self.deadline = float("inf")
        self.is_waiting = True
        self.is_cut = False
        self.expired = 0

    def expire(self) -> None:
        """Count it."""
        self.expired += 1
        self.deadline = float("inf")

    def abort(self) -> None:
        """Leave, as a cut connection does."""
        self.is_cut = True
        self.door.leave(self)


def admit(door: Doorman, peer: str, waiting: bool = True) -> Guest:
    """Let a guest come who must get in."""
    guest = Guest(door)
    guest.is_waiting = waiting
    assert door.admit(guest, peer)
    return guest


def test_the_one_who_waits_longest_gives_way_to_a_neighbour() -> None:
    door = Doorman(100, 3)
    served, first, second = (
        admit(door, "192.0.2.1", waiting=False),
        admit(door, "192.0.2.1"),
        admit(door, "192.0.2.1"),
    )
    stranger = admit(door, "192.0.2.2")
    admit(door, "192.0.2.1")
    assert (served.is_cut, first.is_cut, second.is_cut, stranger.is_cut) == (False, True, False, False)
    assert len(door) == 4


def test_nobody_who_is_served_gives_way() -> None:
    door = Doorman(100, 2)
    guests = [admit(door, "192.0.2.1", waiting=False) for _ in range(2)]
    assert not door.admit(Guest(door), "192.0.2.1")
    assert not any(guest.is_cut for guest in guests)
    admit(door, "192.0.2.2")
    door.leave(guests[0])
    admit(door, "192.0.2.1")


def test_when_the_house_is_full_anyone_who_waits_gives_way() -> None:
    door = Doorman(2, 100)
    first, second = admit(door, "192.0.2.1"), admit(door, "192.0.2.2", waiting=False)
    third = admit(door, "192.0.2.3", waiting=False)
    assert (first.is_cut, second.is_cut) == (True, False)
    assert not door.admit(Guest(door), "192.0.2.4")
    third.abort()
    admit(door, "192.0.2.4")
    assert len(door) == 2


def test_who_is_vouched_for_takes_no_strangers_place_and_gives_none_up() -> None:
    door = Doorman(100, 2)
    friend = admit(door, "192.0.2.1")
    door.vouch(friend, ODILE)
    door.vouch(friend, ODILE)
    guests = [admit(door, "192.0.2.1") for _ in range(3)]
    assert not friend.is_cut
    assert [guest.is_cut for guest in guests] == [True, False, False]


def test_one_token_vouches_for_so_many_connections() -> None:
    door = Doorman(1000, MAX_VOUCHED_PER_DEVICE)
    friends = [admit(door, "192.0.2.1") for _ in range(MAX_VOUCHED_PER_DEVICE)]
    for friend in friends:
        door.vouch(friend, ODILE)
    beyond = admit(door, "192.0.2.1")
    door.vouch(beyond, ODILE)
    for _ in range(MAX_VOUCHED_PER_DEVICE):
        admit(door, "192.0.2.1")
    assert beyond.is_cut
    friends[0].abort()
    another = admit(door, "192.0.2.9")
    door.vouch(another, ODILE)  # its place is free again


def test_a_proxys_address_is_nobodys() -> None:
    door = Doorman(100, 1, is_proxy=lambda peer: peer == "192.0.2.1")
    guests = [admit(door, "192.0.2.1") for _ in range(20)]
    assert not any(guest.is_cut for guest in guests)


def test_an_ipv6_network_is_one_address() -> None:
    door = Doorman(100, 1)
    first = admit(door, "2001:db8::1")
    admit(door, "2001:db8::ffff:1")
    assert first.is_cut


def test_nothing_is_left_of_those_who_left() -> None:
    door = Doorman(100, 100)
    for number in range(50):
        guest = admit(door, f"192.0.2.{number}")
        door.vouch(guest, DeviceId(bytes([number]) * 16))
        door.leave(guest)
        door.leave(guest)
    assert len(door) == 0
    assert (door._strangers, door._devices, +door._per_device) == ({}, {}, {})


def test_nothing_is_kept_of_who_was_turned_away() -> None:
    door = Doorman(1, 1)
    admit(door, "192.0.2.1", waiting=False)
    assert not door.admit(Guest(door), "192.0.2.2")
    assert list(door._strangers) == ["192.0.2.1"]


async def test_who_does_not_get_on_is_told_and_who_does_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorman, "SWEEP_SECONDS", 0.01)
    door = Doorman(100, 100)
    late, busy = admit(door, "192.0.2.1"), admit(door, "192.0.2.1")
    late.deadline = asyncio.get_running_loop().time()
    door.start()
    await asyncio.sleep(0.1)
    door.stop()
    assert (late.expired, busy.expired) == (1, 0)
