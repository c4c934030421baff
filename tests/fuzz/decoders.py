"""Every decoder that reads bytes from outside, as one fuzz target each.

A target is a name, which is also its folder in corpus/, a function from bytes to a value, the errors it may
raise, and how to write the value back. Where `is_canonical`, whatever decodes must encode to the very same
bytes: no message has two spellings, so no signature or hash can be dodged by writing it differently.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from whisp.client.errors import VaultError
from whisp.client.vault.contents import VaultContents
from whisp.client.vault.sealing import read_header
from whisp.core.content import decode_content, encode_content
from whisp.core.file_key import FileId, FileKey
from whisp.core.file_stream import FileReceiver
from whisp.core.handshake.payloads import AnswerPayload, IdentityPayload, OfferPayload
from whisp.core.padding import unpad
from whisp.wire import api
from whisp.wire.certificate import Certificate
from whisp.wire.device_list import DeviceList
from whisp.wire.envelope import decode_envelope
from whisp.wire.errors import RemoteProtocolError
from whisp.wire.frames import decode_client_frame, decode_server_frame
from whisp.wire.prekey import PreKeyBundle, PreKeyRecord
from whisp.wire.signals import decode_signal

__all__ = ["CORPUS", "FILE_ID", "FILE_KEY", "FILE_SID", "FILE_SIZE", "TARGETS", "Target", "seeds"]

CORPUS: Final = Path(__file__).parent / "corpus"

FILE_SID: Final = bytes(range(16))
FILE_ID: Final = FileId(bytes(range(16, 32)))
FILE_KEY: Final = FileKey(bytes(range(32, 64)))
FILE_SIZE: Final = 300
"""The one transfer whose chunk the corpus holds."""


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder."""

    name: str
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes] | None = None
    errors: tuple[type[Exception], ...] = (RemoteProtocolError,)
    is_canonical: bool = True


def seeds(target: Target) -> list[bytes]:
    """Return the committed valid inputs of a target."""
    return [path.read_bytes() for path in sorted((CORPUS / target.name).iterdir())]


def _write(value: Any) -> bytes:
    written: bytes = value.encode()
    return written


def _write_envelope(parts: tuple[Any, bytes, bytes]) -> bytes:
    header, header_bytes, sealed = parts
    written: bytes = header.encode()
    assert written == header_bytes
    return written + sealed


def _write_content(numbered: tuple[int, Any]) -> bytes:
    number, content = numbered
    return encode_content(content, number)


def _chunk(frame: bytes) -> bytes:
    return FileReceiver(FILE_SID, FILE_ID, FILE_KEY, FILE_SIZE).receive(frame)


def _vault_header(front: bytes) -> Any:
    # The checksum would refuse every change; whoever alters a vault on purpose mends it too.
    return read_header(front + sha256(front).digest())


def _layout(name: str, layout: Any) -> Target:
    return Target(name, layout.decode, _write)


def _json(kind: type[msgspec.Struct]) -> Target:
    return Target(
        f"api-{kind.__name__}",
        partial(api.parse, shape=kind),
        msgspec.json.encode,
        is_canonical=False,
    )


TARGETS: Final = (
    Target("client-frame", decode_client_frame, _write),
    Target("server-frame", decode_server_frame, _write, is_canonical=False),  # a ring's name is lowered
    Target("signal", decode_signal, _write),
    _layout("certificate", Certificate),
    _layout("device-list", DeviceList),
    _layout("pre-key", PreKeyRecord),
    _layout("bundle", PreKeyBundle),
    Target("envelope", decode_envelope, _write_envelope),
    _layout("identity-payload", IdentityPayload),
    _layout("offer-payload", OfferPayload),
    _layout("answer-payload", AnswerPayload),
    Target("padding", unpad, is_canonical=False),
    Target(
        "content", decode_content, _write_content, is_canonical=False
    ),  # an unknown goodbye reads as OTHER
    Target("file-chunk", _chunk),
    Target("vault-header", _vault_header, errors=(VaultError,)),
    Target("vault-contents", VaultContents.decode, _write, (VaultError,), is_canonical=False),
    *(
        _json(kind)
        for name in api.__all__
        if isinstance(kind := getattr(api, name), type) and issubclass(kind, msgspec.Struct)
    ),
)
