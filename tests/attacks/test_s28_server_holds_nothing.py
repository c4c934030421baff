"""S-28, default set-up: after people have come, talked and gone, no file and no line of log tells of it.

The server is a process of its own on disk. What is searched for is looked for in every encoding that software
likes to keep text in, and every search is preceded by one that must find something.
"""

import base64
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.attacks.test_s27_addresses_and_referrers import everything
from tests.server.house import House, Http, Person, another_device, next_list
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import Device, answer, confirm, decline, offer
from tests.server.test_app import Process, serving

from whisp.wire import api
from whisp.wire.frames import HangUp, Relay, Ring, Route, Signalled
from whisp.wire.ids import CallId, Username


def spellings(secret: bytes) -> set[bytes]:
    """Return the bytes a secret may hide as."""
    text = secret.decode("latin-1")
    found = {secret, secret.hex().encode(), secret.hex().upper().encode(), text.encode("utf-16-le")}
    found |= {text.encode("utf-16-be"), quote(secret).encode(), secret[::-1]}
    for shift in range(3):  # base64 inside of something longer
        padded = base64.b64encode(bytes(shift) + secret)
        whole = padded[4 if shift else 0 : -4]
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return {spelling for spelling in found if len(spelling) >= 8}


def search(places: Mapping[str, bytes], secrets_by_name: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """Return which secret is in which place."""
    return {
        (name, place)
        for place, content in places.items()
        for name, secret in secrets_by_name.items()
        if any(spelling in content for spelling in spellings(secret))
    }


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "hide",
    [
        lambda secret: secret,
        lambda secret: secret.hex().encode(),
        lambda secret: secret.decode().encode("utf-16"),
        lambda secret: base64.b64encode(secret),
        lambda secret: base64.b64encode(b"x" + secret),
        lambda secret: base64.b64encode(b"xy" + secret + b"z"),
        lambda secret: base64.urlsafe_b64encode(secret),
    ],
)
def test_s28_the_search_finds_what_is_there(hide: Callable[[bytes], bytes]) -> None:
    secret = b"CNRY-" + secrets.token_hex(12).encode()
    places = {"a": b"before" + hide(secret) + b"after", "b": b"nothing"}
    assert search(places, {"it": secret}) == {("it", "a")}
    assert search({"a": b"before" + secret[1:]}, {"it": secret}) == set()


async def person(server: Process, name: str) -> Person:
    return await Person(await Http.dial(server.port), Device(Username(name))).register()


async def call(caller: Person, callee: Person, canary: bytes) -> list[RawClient]:
    """Ring, accept, relay both ways, hang up; and once more, declined."""
    near, far = await caller.online(), await callee.online()
    call_id = CallId(os.urandom(16))
    request = api.SessionRequest(caller.device.device, callee.name, [offer(call_id, callee.device.device)])
    reply = await caller.ask("POST", "/v1/requestSession", request)
    assert reply.as_(api.SessionOutcome).result == "delivered"
    assert isinstance(await far.frame(), Ring)
    await far.send(Signalled(caller.device.device, answer(call_id, callee.device.device)).encode())
    await near.frame()
    await near.send(Signalled(callee.device.device, confirm(call_id) + canary).encode())
    there, _, here = await far.frame(), await far.frame(), await near.frame()
    assert isinstance(there, Route)
    assert isinstance(here, Route)
    await near.send(Relay(here.route, canary).encode())
    assert canary in await far.message()
    await far.send(Relay(there.route, canary * 1000).encode())
    assert canary in await near.message()
    await far.send(HangUp(call_id).encode())
    await near.frame()
    second = CallId(os.urandom(16))
    request = api.SessionRequest(caller.device.device, callee.name, [offer(second, callee.device.device)])
    await caller.ask("POST", "/v1/requestSession", request)
    await far.frame()
    await far.send(Signalled(caller.device.device, decline(second, callee.device.device)).encode())
    await near.frame()
    return [near, far]


def rows(folder: Path) -> dict[str, int]:
    """Return how many rows each table has."""
    connection = sqlite3.connect(folder / "whisp.db")
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    counted = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    connection.close()
    return counted


async def test_s28_nothing_is_left_of_what_people_did(tmp_path: Path) -> None:
    canary = "CNRY-" + secrets.token_hex(8)
    gone, stays = f"gone-{secrets.token_hex(6)}", f"stays-{secrets.token_hex(6)}"
    async with serving(data=str(tmp_path), rate_factor="100") as server:
        stayer, leaver = await person(server, stays), await person(server, gone)
        tablet = another_device(leaver)
        grown = next_list(leaver, leaver.device.device_list, [leaver.device, tablet])
        await leaver.ask("PUT", "/v1/deviceList", grown)
        tablet_token = await leaver.log_in(tablet)
        sockets = await call(stayer, leaver, canary.encode())
        await leaver.discover(stays)
        await stayer.discover(f"nobody-{canary[5:].lower()}")
        rooms = House(None, server.port)  # type: ignore[arg-type] # its application is in the other process
        await everything(rooms, stayer, canary)
        await leaver.ask("POST", "/v1/token/renew")
        certificate = leaver.device.certificate
        wanted = {
            "the name": gone.encode(),
            "the account key": leaver.device.account,
            "the device id": leaver.device.device,
            "the other device id": tablet.device,
            "the signing key": certificate[49:81],
            "the agreement key": certificate[81:113],
            "the certificate": certificate[130:],
            "the list": grown.device_list[-64:],
            "a token": leaver.token.split(".")[2].encode(),
            "another token": tablet_token.split(".")[2].encode(),
            "the canary": canary.encode(),
            "a looked-up name": canary[5:].lower().encode(),
        }
        kept = {
            "the name": stays.encode(),
            "the account key": stayer.device.account,
            "the certificate": stayer.device.certificate[130:],
        }
        live = files(tmp_path)
        # The control: before the erasure the leaver is found, and the stayer is at all times.
        found = {name for name, _ in search(live, wanted)}
        assert found == wanted.keys() - {"a token", "another token", "the canary", "a looked-up name"}
        await leaver.erase()
        for moment in ("while it runs", "after it stopped"):
            if moment == "after it stopped":
                for socket in (*sockets, *stayer.sockets, *leaver.sockets):
                    await socket.disconnect()
                await rooms.close()
                for each in (stayer, leaver):
                    await each.http.close()
                code, out, err = await server.stop()
                assert code == 0
                said = {"standard output": out.encode(), "standard error": err.encode()}
                assert search(said, {**wanted, **kept, "an address": b"127.0.0.1"}) == set()
            on_disk = files(tmp_path)
            assert {name for name, _ in search(on_disk, kept)} == set(kept), moment
            assert search(on_disk, wanted) == set(), moment
    assert rows(tmp_path) == {
        "accounts": 2,  # one of them is `deleted-…`
        "alembic_version": 1,
        "claimed_names": 2,
        "devices": 1,
        "revoked_tokens": 0,
    }


async def test_s28_nothing_of_when_and_where_is_stored(tmp_path: Path) -> None:
    async with serving(data=str(tmp_path)) as server:
        odile = await person(server, "odile")
        await odile.ask("POST", "/v1/logout")
        await odile.http.close()
        await server.stop()
    database = files(tmp_path)["whisp.db"]
    now = int(time.time())
    moments = [str(now - ago).encode() for ago in range(30)]
    assert not [moment for moment in moments if moment in database]
    assert b"127.0.0.1" not in database
    connection = sqlite3.connect(tmp_path / "whisp.db")
    tables = ["accounts", "devices", "claimed_names", "revoked_tokens"]
    stored = {row[1] for table in tables for row in connection.execute(f"PRAGMA table_info({table})")}
    connection.close()
    assert stored == {
        *("id", "username", "account_key", "device_list"),
        *("account_id", "certificate", "digest", "expires_at"),
    }


async def test_s28_nothing_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, temporary = tmp_path / "data", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    async with serving(data=str(data)) as server:
        odile = await person(server, "odile")
        await odile.http.close()
        assert list(temporary.iterdir()) == []
        await server.stop()
    assert list(temporary.iterdir()) == []
    assert {path.name for path in data.rglob("*")} == {
        "whisp.db",
        "lock",
        "secrets",
        "token.key",
        "names.key",
    }
