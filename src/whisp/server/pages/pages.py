"""The web app in memory: paths and bodies, read once. A request only looks its path up among them.

No request reaches the file system, so there is no path that leads out of the folder, no range, and no file
that changes while it is sent.
"""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whisp.server.errors import StartError
from whisp.server.gate.answers import Answer
from whisp.server.pages.headers import MEDIA_TYPES, headers_of

__all__ = ["BUILT", "MAX_FILES", "MAX_FILE_BYTES", "MAX_TOTAL_BYTES", "Page", "Pages"]

BUILT: Final = Path(__file__).parents[2] / "web_app"
"""Where `./run` puts the built app, and where an installed package has it."""

MAX_FILES: Final = 256
"""The app has about thirty. A folder with more is not the app."""

MAX_FILE_BYTES: Final = 4 * 1024 * 1024

MAX_TOTAL_BYTES: Final = 16 * 1024 * 1024
"""Beside the bodies lie their compressed forms, a third of that."""

INDEX: Final = "index.html"

_COMPRESSED: Final = ".gz"

_NOT_BUILT: Final = (
    b"This server has no web app: it is not built. Start the server with ./run, which builds it,"
    b" or install the package whisp.\n"
)


@dataclass(frozen=True, slots=True)
class Page:
    """A file's two answers."""

    plain: Answer
    compressed: Answer

    def answer(self, accept_encoding: bytes) -> Answer:
        """Return the one for a request with this Accept-Encoding."""
        return self.compressed if _takes_gzip(accept_encoding) else self.plain


class Pages:
    """The files by their paths."""

    def __init__(self, by_path: Mapping[bytes, Page]) -> None:
        self._by_path = dict(by_path)

    def __len__(self) -> int:
        return len(self._by_path)

    @classmethod
    def read(cls, folder: Path | None) -> "Pages":
        """Read the built app. Without it, one page says how to build it; with None, there is no page at all.

        Raises:
            StartError: the folder holds what cannot be the app, or cannot be read.
        """
        if folder is None:
            return cls({})
        try:
            bodies = _bodies(folder)
        except OSError as error:
            raise StartError(f"The web app in {folder} cannot be read: {error.strerror}.") from None
        if INDEX not in bodies:
            return cls({b"/": _page("/not-built.txt", _NOT_BUILT, None, 404)})
        pages = {}
        for name, body in bodies.items():
            if not name.endswith(_COMPRESSED):
                path = "/" if name == INDEX else f"/{name}"
                pages[path.encode("ascii")] = _page(path, body, bodies.get(name + _COMPRESSED))
        return cls(pages)

    def get(self, path: bytes) -> Page | None:
        """Return the page at exactly this path."""
        return self._by_path.get(path)


def _bodies(folder: Path) -> dict[str, bytes]:
    """Return the content of every file of the folder by its name in it; empty when there is no folder."""
    bodies: dict[str, bytes] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.name.startswith("."):
            continue
        suffix = Path(name.removesuffix(_COMPRESSED)).suffix
        if path.is_symlink() or suffix not in MEDIA_TYPES or not (name.isascii() and name.isprintable()):
            raise StartError(
                f"The web app in {folder} holds {name!r}, which is no part of it. Build it anew."
            )
        size = path.stat().st_size
        total += size
        if len(bodies) >= 2 * MAX_FILES or size > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
            raise StartError(f"The web app in {folder} is larger than it can be. Build it anew.")
        bodies[name] = path.read_bytes()
    return bodies


def _page(path: str, body: bytes, compressed: bytes | None, status: int = 200) -> Page:
    headers = headers_of(path)
    plain = Answer(status, [*headers, _length(body)], body)
    if compressed is None:
        compressed = gzip.compress(body, mtime=0)
    elif not _is_compressed(body, compressed):
        raise StartError(f"The web app holds a compressed {path} of another build. Build it anew.")
    if len(compressed) >= len(body):
        return Page(plain, plain)
    encoded = [*headers, (b"content-encoding", b"gzip"), _length(compressed)]
    return Page(plain, Answer(status, encoded, compressed))


def _is_compressed(body: bytes, compressed: bytes) -> bool:
    """Say whether one is the other's gzip; never unpacks more than the body's length and one."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        return unpacker.decompress(compressed, len(body) + 1) == body
    except zlib.error:
        return False


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(body)


def _takes_gzip(accept_encoding: bytes) -> bool:
    """Say whether gzip is accepted and not ruled out by a weight of nought (RFC 9110 section 12.5.3)."""
    for choice in accept_encoding.lower().split(b","):
        coding, _, weight = choice.partition(b";")
        if coding.strip() == b"gzip":
            return weight.replace(b" ", b"").rstrip(b"0.") != b"q="
    return False
