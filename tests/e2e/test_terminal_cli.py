"""Two people with the `whisp` command: lines, files, people, and how each ends."""

import asyncio
import json
import os
import re
import socket
from dataclasses import replace
from pathlib import Path

from tests.e2e.terminals import PASSPHRASE, Person, registered

from whisp.server.config import Settings
from whisp.server.serve import running

NO_ACCOUNT = "There is no account on this device yet. Make one with whisp register NAME.\n"


async def test_l2_two_processes_talk_in_pipes(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile", "mira") as (odile, mira):
        listening = await odile.start("listen", "--accept-from", "mira", "--once")
        await listening.told("odile can be rung.")
        chat = await mira.run("chat", "odile", given="Is that the new pipe?\nIt is on no drawing.\n")
        assert chat.code == 0, chat.err
        assert chat.out == ""
        assert "Relayed. Neither of you can see the other’s address." in chat.err
        assert chat.err.endswith("Everything is gone.\n")
        assert await listening.finish() == 0
        assert listening.out == "mira: Is that the new pipe?\nmira: It is on no drawing.\n"
        assert "mira hung up, and says it has wiped too." in listening.err
        known = await mira.run("contacts", "--json")
        assert [json.loads(row)["name"] for row in known.out.splitlines()] == ["odile"]


async def test_d3_both_see_the_same_safety_number(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile", "mira") as (odile, mira):
        listening = await odile.start("listen", "--accept", "--once")
        await listening.told("odile can be rung.")
        assert (await mira.run("chat", "odile", given="hello\n")).code == 0
        assert await listening.finish() == 0
        shown = [await mira.run("safety", "odile", "--json"), await odile.run("safety", "mira", "--json")]
        numbers = [json.loads(run.out)["digits"] for run in shown]
        assert numbers[0] == numbers[1]
        assert re.fullmatch(r"(\d{5} ){11}\d{5}", numbers[0])
        assert (await mira.run("safety", "odile", "--verify", "--no-qr")).code == 0
        assert json.loads((await mira.run("contacts", "--json")).out)["verified"] is True


async def test_f2_files_arrive_whole(tmp_path: Path) -> None:
    source, inbox = tmp_path / "notes.bin", tmp_path / "inbox"
    source.write_bytes(os.urandom(3_000_000))
    inbox.mkdir()
    (inbox / "notes.bin").write_text("was here before")
    async with registered(tmp_path, "odile", "mira") as (odile, mira):
        receiving = await odile.start("receive", "--from", "mira", "--to", str(inbox))
        await receiving.told("odile waits for files.")
        sent = await mira.run("send", "odile", str(source))
        assert sent.code == 0, sent.err
        assert sent.out == "notes.bin is with odile.\n"
        assert await receiving.finish() == 0, receiving.err
        assert (inbox / "notes.bin").read_text() == "was here before"
        assert (inbox / "notes (2).bin").read_bytes() == source.read_bytes()
        assert (inbox / "notes (2).bin").stat().st_mode & 0o777 == 0o600


async def _refused(odile: Person, mira: Person) -> None:
    listening = await odile.start("listen", "--accept-from", "someone-else")
    await listening.told("odile can be rung.")
    declined = await mira.run("chat", "odile")
    assert (declined.code, declined.err.splitlines()[-1]) == (4, "The call was declined.")
    assert await listening.interrupt() == 130
    assert "Traceback" not in listening.err


async def test_l2_every_end_has_its_code(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile", "mira") as (odile, mira):
        await _refused(odile, mira)
        for command in (["lookup", "odile"], ["chat", "nobody-here"], ["chat", "not a name"]):
            missing = await mira.run(*command)
            assert (missing.code, missing.err.splitlines()[-1]) == (3, "User not found or offline.")
        assert (await mira.run("register", "mira")).code == 1
        assert (await mira.run("lookup", "mira")).code == 0
        wrong = tmp_path / "wrong"
        wrong.write_text("not this one")
        wrong.chmod(0o600)
        sealed = await mira.run("contacts", "--passphrase-file", str(wrong))
        assert (sealed.code, sealed.err) == (6, "That passphrase does not open the vault.\n")
        (mira.folder / "vault").write_bytes(b"not a vault")
        damaged = await mira.run("contacts")
        assert (damaged.code, damaged.err) == (6, "The vault file is damaged.\n")
    gone = await odile.run("lookup", "mira")
    assert gone.code == 7
    assert gone.err == "This server does not answer. Your keys and contacts are safe on this device.\n"


async def test_a_name_is_claimed_after_a_try_that_reached_nobody(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile") as (odile,):
        with socket.create_server(("127.0.0.1", 0)) as closed_soon:
            port = closed_soon.getsockname()[1]
        nowhere = f"http://127.0.0.1:{port}"
        mira, sefa = (Person(name, tmp_path / name, nowhere) for name in ("mira", "sefa"))
        for person in (mira, sefa):
            early = await person.run("lookup", "odile")
            assert (early.code, early.err) == (2, NO_ACCOUNT)
            failed = await person.run("register", person.name)
            assert (failed.code, failed.out) == (7, "")
            assert failed.err.startswith("This server does not answer.")
            half = await person.run("lookup", "odile")
            assert (half.code, half.err) == (2, NO_ACCOUNT)
        # Another server on the command line, which is remembered; then none is named.
        assert (await mira.run("register", "mira", "--server", odile.origin)).code == 0
        found = await replace(mira, origin="").run("lookup", "mira")
        assert (found.code, found.out) == (0, "mira is online.\n")
        # The same server, which answers at last.
        async with running(Settings(port=port, data=None)):
            assert (await sefa.run("register", "sefa")).code == 0
            assert (await sefa.run("lookup", "sefa")).code == 0


async def test_a8_an_account_is_erased(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile") as (odile,):
        shown = await odile.run("account")
        assert "Name         odile" in shown.out
        erased = await odile.run("delete-account", "--yes")
        assert erased.out == "Your account is erased. The name odile is not given to anyone else.\n"
        assert list(odile.folder.iterdir()) == []
        assert (await odile.run("register", "odile")).err == "That name is taken.\n"


async def test_s30_no_process_shows_its_passphrase(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile") as (odile,):
        listening = await odile.start("listen", "--accept")
        await listening.told("odile can be rung.")
        process = Path(f"/proc/{listening.process.pid}")
        for place in ("cmdline", "environ"):
            assert PASSPHRASE.encode() not in (process / place).read_bytes()
        assert await listening.interrupt() == 130


async def test_s30_a_profile_is_its_owners_alone(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile") as (odile,):
        assert odile.folder.stat().st_mode & 0o077 == 0
        for path in odile.folder.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path.name
            assert PASSPHRASE.encode() not in path.read_bytes()


async def test_two_runs_of_one_account_do_not_mix(tmp_path: Path) -> None:
    async with registered(tmp_path, "odile") as (odile,):
        listening = await odile.start("listen", "--accept")
        await listening.told("odile can be rung.")
        second = await odile.run("contacts")
        assert (second.code, second.err) == (6, "Whisp already runs with this vault.\n")
        assert await listening.interrupt() == 130
        await asyncio.sleep(0)
