"""padding.json, content.json and file_stream.json, checked twice.

First by the functions here, which are built from the files' descriptions and use nothing of Whisp; then by
running Whisp against the same values, the wrong ones included.
"""

import json
import struct
import subprocess
import sys
from hashlib import sha256, shake_256
from math import floor, log2
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whisp.core.content import Bye, RtcClose, Unknown, decode_content, encode_content
from whisp.core.file_key import FileId, FileKey
from whisp.core.file_stream import FileReceiver, FileSender
from whisp.core.padding import pad, padme, unpad
from whisp.wire.errors import MalformedError, RemoteProtocolError

FOLDER = Path(__file__).resolve().parents[2] / "spec" / "vectors"
PADDING = json.loads((FOLDER / "padding.json").read_text("utf-8"))
CONTENT = json.loads((FOLDER / "content.json").read_text("utf-8"))
FILES = json.loads((FOLDER / "file_stream.json").read_text("utf-8"))
CHUNK = 65_536


# The same values once more, without Whisp


def plain_padme(length: int) -> int:
    if length < 2:
        return length
    exponent = floor(log2(length))
    bits = floor(log2(exponent)) + 1 if exponent else 0
    step = 1 << max(exponent - bits, 0)
    return -(-length // step) * step


def plain_content(kind: str, number: int, values: dict[str, Any]) -> bytes:
    """Encode a content from its JSON fields, by the tables in spec/content.md."""
    raw = {name: bytes.fromhex(value) for name, value in values.items() if _is_hex(name)}
    match kind:
        case "TEXT":
            author, reply_to = values["reply_to"] or (0, 0)
            code, body = 0x01, struct.pack(">BI", author, reply_to) + values["body"].encode()
        case "TYPING":
            code, body = 0x02, struct.pack(">B", values["active"])
        case "RECEIPT":
            head = struct.pack(">BIB", values["kind"], values["up_to"], len(values["lost"]))
            code, body = 0x03, head + b"".join(struct.pack(">II", *run) for run in values["lost"])
        case "TEXT_EDIT":
            code, body = 0x04, struct.pack(">I", values["number"]) + values["body"].encode()
        case "TEXT_DELETE":
            code, body = 0x05, struct.pack(">I", values["number"])
        case "REACTION":
            code, body = 0x06, struct.pack(">BI", *values["to"]) + values["symbol"].encode()
        case "FILE_OFFER":
            names = b"".join(
                struct.pack(">H", len(text)) + text
                for text in (values["name"].encode(), values["media_type"].encode())
            )
            code, body = 0x10, raw["file_id"] + raw["key"] + struct.pack(">Q", values["size"]) + names
        case "FILE_REQUEST" | "FILE_ACK":
            code = {"FILE_REQUEST": 0x11, "FILE_ACK": 0x12}[kind]
            body = raw["file_id"] + struct.pack(">I", values["chunk"])
        case "FILE_CANCEL":
            code, body = 0x13, raw["file_id"] + struct.pack(">B", values["reason"])
        case "FILE_DONE":
            code, body = 0x14, raw["file_id"]
        case "HEARTBEAT":
            code, body = 0x20, struct.pack(">I", values["last_number"])
        case "RESUME":
            holes = values["holes"]
            head = struct.pack(">BIB", values["is_new_path"], values["highest"], len(holes))
            code, body = 0x21, head + struct.pack(f">{len(holes)}I", *holes)
        case "BYE":
            code, body = 0x22, struct.pack(">BI", values["reason"], values["last_number"])
        case "LIST_UPDATE":
            code, body = 0x30, raw["device_list"]
        case "LIST_REPORT":
            code, body = 0x31, struct.pack(">I", values["version"]) + raw["digest"]
        case "DIRECT_CONSENT":
            code, body = 0x40, struct.pack(">B", values["allowed"])
        case "LINE_OFFER" | "LINE_ANSWER":
            code = {"LINE_OFFER": 0x41, "LINE_ANSWER": 0x42}[kind]
            addresses = [(bytes.fromhex(ip), port) for ip, port in values["addresses"]]
            packed = b"".join(bytes((len(ip),)) + ip + struct.pack(">H", port) for ip, port in addresses)
            body = raw["token"] + bytes((len(addresses),)) + packed
        case "RTC_OFFER" | "RTC_ANSWER":
            code = {"RTC_OFFER": 0x43, "RTC_ANSWER": 0x44}[kind]
            names = b"".join(
                bytes((len(name),)) + name for name in (values["ufrag"].encode(), values["pwd"].encode())
            )
            body = raw["token"] + bytes((values["policy"],)) + names
        case "RTC_CANDIDATES":
            code, ufrag = 0x45, values["ufrag"].encode()
            packed = b"".join(
                struct.pack(">BIB", sort, priority, len(address) // 2)
                + bytes.fromhex(address)
                + struct.pack(">H", port)
                for sort, priority, address, port in values["candidates"]
            )
            body = raw["token"] + bytes((len(ufrag),)) + ufrag + bytes((len(values["candidates"]),)) + packed
        case "RTC_CLOSE":
            code, body = 0x46, raw["token"] + bytes((values["reason"],))
        case _:
            raise AssertionError(kind)
    encoded: bytes = struct.pack(">BI", code, number) + body
    return encoded


def _is_hex(name: str) -> bool:
    return name in {"file_id", "key", "device_list", "digest", "token"}


def plain_frames(file: dict[str, Any]) -> list[bytes]:
    """Seal a whole file, by spec/files.md."""
    sid, file_id, key = (bytes.fromhex(file[name]) for name in ("sid", "file_id", "key"))
    padded = plain_padme(file["size"])
    block = HKDF(SHA256(), 39, sid, b"Whisp/1 file\x00" + file_id).derive(key)
    stream = shake_256(b"whisp vectors: " + file["content_name"].encode()).digest(file["size"])
    stream = stream.ljust(padded, b"\x00")
    count = max(1, -(-padded // CHUNK))
    frames = []
    for index in range(count):
        place = struct.pack(">IB", index, index == count - 1)
        associated = b"Whisp/1 chunk\x00" + file_id + struct.pack(">Q", padded)
        chunk = stream[index * CHUNK : (index + 1) * CHUNK]
        sealed = AESGCM(block[:32]).encrypt(block[32:] + place, chunk, associated)
        frames.append(b"\x11" + file_id + place + sealed)
    return frames


def test_the_padding_vectors_hold() -> None:
    for length, padded in PADDING["lengths"]:
        assert plain_padme(length) == padded
    for case in PADDING["padded"]:
        content, padded = bytes.fromhex(case["content"]), bytes.fromhex(case["padded"])
        size = max(case["floor"], plain_padme(len(content) + 1))
        assert padded == content + b"\x80" + bytes(size - len(content) - 1)


def test_the_content_vectors_hold() -> None:
    for case in CONTENT["valid"]:
        assert plain_content(case["type"], case["number"], case["fields"]).hex() == case["bytes"]


def test_the_file_vectors_hold() -> None:
    for file in FILES["valid"]:
        frames = plain_frames(file)
        assert file["padded_size"] == plain_padme(file["size"])
        assert [len(frame) for frame in frames] == [chunk["bytes"] for chunk in file["chunks"]]
        for frame, chunk in zip(frames, file["chunks"], strict=True):
            assert frame[:22].hex() == chunk["header"]
            assert sha256(frame).hexdigest() == chunk["sha256"]
            assert frame.hex() == chunk.get("frame", frame.hex())


# Whisp against them


def test_padding_passes_its_vectors() -> None:
    for length, padded in PADDING["lengths"]:
        assert padme(length) == padded
    for case in PADDING["padded"]:
        content, padded = bytes.fromhex(case["content"]), bytes.fromhex(case["padded"])
        assert pad(content, case["floor"]) == padded
        assert unpad(padded) == content


@pytest.mark.parametrize("padded", PADDING["invalid"])
def test_s11_padding_refuses_its_invalid_vectors(padded: str) -> None:
    with pytest.raises(MalformedError):
        unpad(bytes.fromhex(padded))


@pytest.mark.parametrize("case", CONTENT["valid"], ids=lambda case: case["type"])
def test_contents_pass_their_vectors(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["bytes"])
    number, content = decode_content(encoded)
    assert not isinstance(content, Unknown)
    assert (number, content.TYPE.name) == (case["number"], case["type"])
    assert encode_content(content, number) == encoded


@pytest.mark.parametrize("case", CONTENT["invalid"], ids=lambda case: case["why"])
def test_s11_contents_refuse_their_invalid_vectors(case: dict[str, str]) -> None:
    with pytest.raises(MalformedError):
        decode_content(bytes.fromhex(case["bytes"]))


def test_contents_skip_what_is_newer() -> None:
    for case in CONTENT["unknown"]:
        assert decode_content(bytes.fromhex(case["bytes"])) == (case["number"], Unknown(case["type"]))
    bye = CONTENT["unknown_bye"]
    _, content = decode_content(bytes.fromhex(bye["bytes"]))
    assert isinstance(content, Bye)
    assert (content.reason, content.last_number) == (bye["reason"], bye["last_number"])
    close = CONTENT["unknown_rtc_close"]
    _, content = decode_content(bytes.fromhex(close["bytes"]))
    assert isinstance(content, RtcClose)
    assert (content.reason, content.token.hex()) == (close["reason"], close["token"])


def _parts(file: dict[str, Any]) -> tuple[bytes, FileId, FileKey]:
    sid, file_id, key = (bytes.fromhex(file[name]) for name in ("sid", "file_id", "key"))
    return sid, FileId(file_id), FileKey(key)


@pytest.mark.parametrize("file", FILES["valid"], ids=lambda file: str(file["size"]))
def test_files_pass_their_vectors(file: dict[str, Any]) -> None:
    frames = plain_frames(file)
    sender, receiver = FileSender(*_parts(file), file["size"]), FileReceiver(*_parts(file), file["size"])
    content = b"".join(receiver.receive(frame) for frame in frames)
    assert receiver.is_done
    assert content == shake_256(b"whisp vectors: " + file["content_name"].encode()).digest(file["size"])
    cut = [content[index * CHUNK :][: sender.content_bytes(index)] for index in range(sender.count)]
    assert [sender.chunk(index, chunk) for index, chunk in enumerate(cut)] == frames


@pytest.mark.parametrize("case", FILES["hostile"], ids=lambda case: case["why"])
def test_s35_files_refuse_their_hostile_vectors(case: dict[str, Any]) -> None:
    file = FILES["valid"][case["file"]]
    frames = plain_frames(file)
    receiver = FileReceiver(*_parts(file), case["promised_size"])
    *accepted, refused = (_changed(frames[step["chunk"]], step) for step in case["steps"])
    for frame in accepted:
        receiver.receive(frame)
    before = receiver.next_chunk
    with pytest.raises(RemoteProtocolError):
        receiver.receive(refused)
    assert receiver.next_chunk == before


def _changed(frame: bytes, step: dict[str, Any]) -> bytes:
    changed = bytearray(frame)
    for offset, value in step.get("xor", []):
        changed[offset] ^= value
    return bytes(changed[: len(changed) - step.get("cut", 0)]) + bytes.fromhex(step.get("append", ""))


def test_the_generator_writes_these_very_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FOLDER / "generate_session.py"), str(tmp_path)], check=True)
    for name in ("padding.json", "content.json", "file_stream.json"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()
