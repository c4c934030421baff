"""The server as a process: how it starts, what it says, how it stops, and what it says when it cannot."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.server.house import Http, Person, house
from tests.server.signalling.scripts import Device

from whisp.server.clock import SteadyClock
from whisp.server.config import Settings
from whisp.server.errors import StartError
from whisp.server.serve import running
from whisp.wire import api
from whisp.wire.codes import CloseCode
from whisp.wire.ids import Username


class Process:
    """A server in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, greeting: list[str]) -> None:
        self.process = process
        self.port = port
        self.greeting = greeting

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Stop it; return its exit code and all it said since the greeting."""
        self.process.send_signal(number)
        async with asyncio.timeout(15):
            out, err = await self.process.communicate()
        return self.process.returncode or 0, out.decode(), err.decode()

    async def person(self, name: str) -> Person:
        """Return somebody with an account."""
        return await Person(await Http.dial(self.port), Device(Username(name))).register()


Program: TypeAlias = tuple[str, ...]
"""Arguments of an interpreter."""

WHISP_SERVER: Program = ("-m", "whisp.server")


async def spawn(program: Program, **settings: str) -> asyncio.subprocess.Process:
    """Run a program of Python with these settings and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WHISP_")}
    environment |= {f"WHISP_{name.upper()}": value for name, value in settings.items()}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *program,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def serving(program: Program = WHISP_SERVER, **settings: str) -> AsyncIterator[Process]:
    """Run a server until the end of the block."""
    process = await spawn(program, **{"port": "0", **settings})
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            greeting = [(await process.stdout.readline()).decode() for _ in range(3)]
        assert greeting[0], (await process.communicate())[1].decode()
        yield Process(process, int(greeting[0].rpartition(":")[2]), greeting)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def refusal(program: Program = WHISP_SERVER, **settings: str) -> str:
    """Return what a server says that does not start; check that it is all it says."""
    process = await spawn(program, **{"port": "0", **settings})
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert b"Traceback" not in err
    return err.decode()


async def test_a_server_greets_serves_remembers_and_stops(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with serving(data=str(data)) as first:
        assert first.greeting == [
            f"Whisp answers at http://127.0.0.1:{first.port}\n",
            f"Data: {data}\n",
            "Ctrl+C stops the server.\n",
        ]
        odile = await first.person("odile")
        token = odile.token
        await odile.http.close()
        assert await first.stop() == (0, "", "")
    assert (data / "whisp.db").exists()
    assert not (data / "whisp.db-wal").exists()
    async with serving(data=str(data), port=str(first.port)) as second:
        http = await Http.dial(second.port)
        again = await Person(http, odile.device).log_in()
        for known in (token, again):  # a token outlives a restart
            reply = await http.ask("GET", "/v1/account", token=known)
            assert reply.as_(api.Account).username == "odile"
        await http.close()
        assert await second.stop(signal.SIGINT) == (0, "", "")


async def test_none_is_no_folder_and_a_folder_may_be_called_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for data, said in (("none", "in memory; it ends with this process"), ("./none", str(tmp_path / "none"))):
        assert list(tmp_path.iterdir()) == []
        async with serving(program=("-m", "whisp.terminal", "serve", "--data", data)) as server:
            assert server.greeting[1] == f"Data: {said}\n"
            assert await server.stop() == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["none"]


async def test_a_restart_revives_neither_a_logged_out_token_nor_a_spent_challenge(tmp_path: Path) -> None:
    async with serving(data=str(tmp_path)) as first:
        odile = await first.person("odile")
        other = await odile.log_in()
        await odile.ask("POST", "/v1/logout")
        request = await odile.log_in_request()
        assert (await odile.http.ask("POST", "/v1/login", request)).status == 200
        await odile.http.close()
        await first.stop()
    async with serving(data=str(tmp_path), port=str(first.port)) as second:
        http = await Http.dial(second.port)
        assert (await http.ask("GET", "/v1/account", token=odile.token)).status == 401
        assert (await http.ask("GET", "/v1/account", token=other)).status == 200
        assert (await http.ask("POST", "/v1/login", request)).status == 401
        await http.close()


async def test_stopping_tells_every_socket_to_come_back(
    tmp_path: Path,
) -> None:
    async with serving(data=str(tmp_path)) as server:
        odile = await server.person("odile")
        socket = await odile.online()
        server.process.send_signal(signal.SIGTERM)
        assert (await socket.closed()).code == CloseCode.RESTART
        code, out, err = await server.stop()
        assert (code, out, err) == (0, "", "")
        await odile.http.close()
        await socket.disconnect()


async def test_a_port_in_use_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = await refusal(port=str(port), data=str(tmp_path / "data"))
    assert said == f"Port {port} of 127.0.0.1 cannot be used: it is in use by another program.\n"


async def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    async with serving(data=str(tmp_path)):
        assert await refusal(data=str(tmp_path)) == f"Another server uses the data folder {tmp_path}.\n"


async def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = await refusal(data=str(tmp_path / "file" / "data"))
    assert said.startswith(f"The data folder {tmp_path}/file/data cannot be used: ")


async def test_a_damaged_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "whisp.db").write_bytes(b"no database " * 1000)
    assert await refusal(data=str(tmp_path)) == (
        "The database is damaged. Restore a backup, or move the file away to begin anew.\n"
    )


async def test_a_setting_that_cannot_be_is_told_in_a_sentence(tmp_path: Path) -> None:
    assert (await refusal(data=str(tmp_path), origins="nowhere")).startswith("WHISP_ORIGINS takes origins")


WITHOUT_PICOWS = (
    "import sys; sys.modules['picows'] = None; from whisp.server.__main__ import main; sys.exit(main())"
)


async def test_the_fallback_serves_where_picows_is_missing() -> None:
    async with serving(program=("-c", WITHOUT_PICOWS), data="none", websocket="uvicorn") as server:
        odile = await server.person("odile")
        socket = await odile.online()
        assert await server.stop() == (0, "", "")
        assert (await socket.closed()).code == CloseCode.RESTART
        await odile.http.close()
        await socket.disconnect()


async def test_without_picows_a_sentence_names_the_fallback() -> None:
    said = await refusal(program=("-c", WITHOUT_PICOWS), data="none")
    assert said == "picows cannot be loaded. WHISP_WEBSOCKET=uvicorn does without it.\n"


@pytest.mark.parametrize("host", ["::1", "localhost"])
async def test_other_addresses_can_be_listened_on(host: str) -> None:
    try:
        async with running(Settings.read(port=0, data="none", host=host)) as server:
            address = "::1" if host == "::1" else "127.0.0.1"
            reader, writer = await asyncio.open_connection(address, server.port)
            writer.write(f"GET /v1/server HTTP/1.1\r\nHost: [::1]:{server.port}\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
            await writer.wait_closed()
    except StartError:
        pytest.skip("this machine has no such address")


async def test_readiness_follows_storage_and_health_does_not(tmp_path: Path) -> None:
    async with house(data=tmp_path) as rooms:
        http = await rooms.dial()
        assert (await http.ask("GET", "/readyz")).status == 200
        await rooms.application._database.close()
        assert (await http.ask("GET", "/readyz")).error == "unavailable"
        assert (await http.ask("GET", "/healthz")).status == 200


async def test_a_locked_database_refuses_writers_alone_and_service_returns_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = ("journal_mode=WAL", "busy_timeout=10", "foreign_keys=ON")
    monkeypatch.setattr("whisp.server.storage.database._PRAGMAS", pragmas)
    async with house(data=tmp_path, rate_factor=10) as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.stranger("sefa")
        other = sqlite3.connect(tmp_path / "whisp.db")
        other.execute("BEGIN IMMEDIATE")
        refused = await sefa.http.ask("POST", "/v1/accounts", await sefa.registration())
        assert (refused.status, refused.error, refused["retry-after"]) == (503, "unavailable", "2")
        assert (await odile.discover("sefa")).status == 200
        assert (await odile.ask("GET", "/v1/account")).status == 200
        assert await odile.log_in()
        other.close()
        assert (await sefa.register()).token


async def test_nothing_is_left_of_a_server_that_stopped(tmp_path: Path) -> None:
    async with house(data=tmp_path) as rooms:
        odile = await rooms.person("odile")
        await odile.online()
        application = rooms.application
        assert application.counts()["online"] == 1
    assert set(application.counts().values()) == {0}
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_server_forgets_addresses_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whisp.server.app.TIDY_SECONDS", 0.02)
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        assert (await odile.discover("sefa")).status == 200
        async with asyncio.timeout(20):
            while len(rooms.application.rates):
                await asyncio.sleep(0.02)


async def test_a_server_forgets_dead_tokens_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(SteadyClock):
        ahead = 0.0

        def __call__(self) -> float:
            return super().__call__() + self.ahead

    def stored() -> int:
        with contextlib.closing(sqlite3.connect(tmp_path / "whisp.db")) as database:
            return int(database.execute("SELECT count(*) FROM revoked_tokens").fetchone()[0])

    monkeypatch.setattr("whisp.server.app.TIDY_SECONDS", 0.02)
    monkeypatch.setattr("whisp.server.app.SteadyClock", Clock)
    async with house(data=tmp_path) as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        assert (await sefa.discover("odile")).status == 200
        assert (await odile.ask("POST", "/v1/logout")).status == 200
        await asyncio.sleep(0.1)
        assert (len(rooms.application.tokens), stored()) == (2, 1)
        monkeypatch.setattr(Clock, "ahead", 900.0)
        async with asyncio.timeout(20):
            while len(rooms.application.tokens) or stored():
                await asyncio.sleep(0.02)


async def test_two_servers_in_one_process_know_nothing_of_each_other() -> None:
    async with house() as one, house() as two:
        assert one.port != two.port
        odile = await one.person("odile")
        twin = await two.person("odile")
        assert odile.token != twin.token
        assert (await twin.http.ask("GET", "/v1/account", token=odile.token)).status == 401
