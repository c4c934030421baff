"""spec/vectors/frames.json: by the table of spec/signalling.md, and by this package's decoders."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from whisp.wire.errors import MalformedError
from whisp.wire.frames import FrameType, decode_client_frame, decode_server_frame
from whisp.wire.username import canonical, is_reserved

FOLDER = Path(__file__).resolve().parents[2] / "spec" / "vectors"
CONTENT: dict[str, Any] = json.loads((FOLDER / "frames.json").read_text())
DECODERS: dict[str, Any] = {"client": decode_client_frame, "server": decode_server_frame}

# how the table writes each field, one row per type: a number is so many bytes of an integer
LAYOUTS: dict[str, dict[str, int | str]] = {
    "HELLO": {"major": 1, "minor": 1, "token": "lp16"},
    "WELCOME": {"major": 1, "minor": 1},
    "PRE_KEYS": {"count": 1, "records": "hex"},
    "PRE_KEYS_LEFT": {"count": 1},
    "RELAY": {"route": "hex", "payload": "hex"},
    "SIGNAL": {"device": "hex", "signal": "hex"},
    "RING": {"device": "hex", "username": "lp16", "offer": "hex"},
    "ROUTE": {"call_id": "hex", "device": "hex", "route": "hex"},
    "LINE": {"call_id": "hex", "device": "hex", "state": 1},
    "HANG_UP": {"call_id": "hex"},
}


def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the generator, which stands beside the vectors."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("generate_frames", FOLDER / "generate_frames.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("generate_identity", None)
    return module


def whole(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case, its zeros with them."""
    return bytes.fromhex(case["bytes"]) + bytes(case.get("zeros", 0))


def laid_out(case: dict[str, Any]) -> bytes:
    """Return what the table makes of the fields, without a line of this package."""
    layout, fields, zeros = LAYOUTS[case["type"]], case["fields"], case.get("zeros", 0)
    assert list(layout) == list(fields)
    encoded = b""
    for name, how in layout.items():
        last = bytes(zeros) if name == list(layout)[-1] else b""
        if how == "hex":
            encoded += bytes.fromhex(fields[name]) + last
        elif how == "lp16":
            text = fields[name].encode("ascii") + last
            encoded += len(text).to_bytes(2, "big") + text
        else:
            assert isinstance(how, int)
            encoded += fields[name].to_bytes(how, "big")
    return encoded


@pytest.mark.parametrize("case", CONTENT["valid"], ids=lambda case: case["type"])
def test_a_valid_frame_is_its_fields_and_comes_back(case: dict[str, Any]) -> None:
    encoded = whole(case)
    assert encoded[1:] == laid_out(case)
    senders = list(DECODERS) if case["from"] == "both" else [case["from"]]
    for sender in DECODERS:
        if sender not in senders:
            with pytest.raises(MalformedError):
                DECODERS[sender](encoded)
            continue
        frame = DECODERS[sender](encoded)
        assert frame.TYPE is FrameType[case["type"]]
        assert frame.encode() == encoded


@pytest.mark.parametrize("case", CONTENT["invalid"], ids=lambda case: f"{case['from']}: {case['why']}")
def test_s11_an_invalid_frame_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        DECODERS[case["from"]](whole(case))


@pytest.mark.parametrize("case", CONTENT["usernames"], ids=lambda case: ascii(case["name"]))
def test_s21_a_username_has_one_form_or_none(case: dict[str, Any]) -> None:
    if case["canonical"] is None:
        with pytest.raises(MalformedError):
            canonical(case["name"])
    else:
        form = canonical(case["name"])
        assert form == case["canonical"]
        assert is_reserved(form) is case["reserved"]


def test_every_type_has_a_valid_and_an_invalid_case() -> None:
    assert {case["type"] for case in CONTENT["valid"]} == {kind.name for kind in FrameType}
    refused = {case["why"].split()[0] for case in CONTENT["invalid"]}
    assert {kind.name for kind in FrameType} <= refused


def test_the_generator_writes_the_same_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", str(tmp_path)])
    generator = program(monkeypatch)
    generator.write("frames", generator.frames())
    assert (tmp_path / "frames.json").read_text() == (FOLDER / "frames.json").read_text()
