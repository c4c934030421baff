"""A web app of a few files, for tests of how files are served."""

from pathlib import Path

__all__ = ["FILES", "PATHS", "SCRIPT", "put"]

SCRIPT = b"export const long = '" + b"whisp " * 40_000 + b"';\n"
"""More than one piece of an answer, also compressed by nothing."""

FILES = {
    "index.html": b"<!doctype html><title>Whisp</title>" + b"<p>quiet</p>" * 40,
    "service-worker.js": b"self.skipWaiting();",
    "manifest.webmanifest": b'{"name":"Whisp"}',
    "icon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "assets/main-Ab3_x-9Z.js": SCRIPT,
    "assets/main-Cd4e5f6g.css": b"body{}",
    "assets/ring.ogg": b"OggS",
}
PATHS = {"/" if name == "index.html" else f"/{name}": body for name, body in FILES.items()}


def put(folder: Path) -> Path:
    """Write the files into a folder; return it."""
    for name, body in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder
