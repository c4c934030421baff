"""`./bench idle`: private memory of the server for each device that is online and silent.

Every client has an account, is logged in and has published pre-keys over its WebSocket. `kib_per_connection`
counts one signed record, which is what presence needs; `kib_with_one_time_pre_keys` counts the twenty
one-time records besides, whose 28 KiB of random keys nothing can compress. The server is started anew for
each, on the same accounts, and measured by the growth of its unique set size (USS).
"""

import gc
import resource
import time

from benchmarks.figures import Figure
from benchmarks.live import Device, Server, WebSocket, data_folder, free_port
from whisp.wire.ids import Username
from whisp.wire.limits import MAX_ONE_TIME_PRE_KEYS

__all__ = ["run"]

BAR_KIB = 12.0


def run(quick: bool) -> list[Figure]:
    """Connect 5,000 devices (quick: 1,500) and let them be silent."""
    count = 1500 if quick else 5000
    _raise_file_limit(count + 200)
    port = free_port()
    with data_folder() as data:
        with Server.running(data, port) as server:
            devices = [Device(Username(f"idle-{number}")) for number in range(count)]
            for device in devices:
                device.register(server)
        signed = _kib_per_connection(data, port, devices, 0)
        full = _kib_per_connection(data, port, devices, MAX_ONE_TIME_PRE_KEYS)
    return [
        Figure("kib_per_connection", round(signed, 2), "KiB", BAR_KIB, "at most"),
        Figure("kib_with_one_time_pre_keys", round(full, 2), "KiB"),
        Figure("connections", count, "connections"),
    ]


def _kib_per_connection(data: str, port: int, devices: list[Device], one_time: int) -> float:
    with Server.running(data, port) as server:
        published = [device.records(one_time) for device in devices]
        before = server.process.memory_full_info().uss
        clients: list[WebSocket] = []
        for device, records in zip(devices, published, strict=True):
            clients.append(WebSocket(server, device, records))
            if len(clients) % 1000 == 0:
                _show_life(clients)
        _show_life(clients)
        time.sleep(1)
        after = server.process.memory_full_info().uss
        for client in clients:
            client.socket.close()
        del clients
        gc.collect()
    return float(after - before) / len(devices) / 1024


def _show_life(clients: list[WebSocket]) -> None:
    """Answer the server's pings, or it would cut the silent."""
    for client in clients:
        client.settle()


def _raise_file_limit(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        if hard < needed:
            raise SystemExit(f"{needed} open files are needed, {hard} are allowed (ulimit -n).")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
