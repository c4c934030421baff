"""`./bench idle`: private memory of the server for each device that is online and silent.

Every client has an account, is logged in and has published pre-keys over its WebSocket. `idle_kib` counts one
signed record, which is what presence needs; `idle_full_kib` counts the twenty one-time records besides, whose
28 KiB of random keys nothing can compress. The server is started anew for each, on the same accounts, and
measured by the growth of its unique set size (USS).
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
        Figure("idle_kib", round(signed, 2), "KiB", BAR_KIB, "at most"),
        Figure("idle_full_kib", round(full, 2), "KiB"),
        Figure("idle_connections", count, "connections"),
    ]


def _kib_per_connection(data: str, port: int, devices: list[Device], one_time: int) -> float:
    with Server.running(data, port) as server:
        before = server.process.memory_full_info().uss
        clients = [WebSocket(server, device, one_time) for device in devices]
        for client in clients:
            client.settle()
        time.sleep(1)
        after = server.process.memory_full_info().uss
        for client in clients:
            client.socket.close()
        del clients
        gc.collect()
    return float(after - before) / len(devices) / 1024


def _raise_file_limit(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        if hard < needed:
            raise SystemExit(f"{needed} open files are needed, {hard} are allowed (ulimit -n).")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
