"""Reasons that are named in the code are named in the specification, and errors carry what they promise."""

import re
from pathlib import Path

from whisp.core.errors import HandshakeError, HandshakeReason
from whisp.wire.codes import ErrorCode
from whisp.wire.errors import RemoteProtocolError

SPECIFIED = (Path(__file__).parents[2] / "spec" / "errors.md").read_text()


def _first_cells(section: str) -> set[str]:
    text = SPECIFIED.split(f"## {section}")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_-]+)` \|", text, re.MULTILINE))


def test_every_reason_is_specified_and_no_other() -> None:
    assert _first_cells("Handshake") == {reason.value for reason in HandshakeReason}


def test_every_http_error_is_specified_and_no_other() -> None:
    assert _first_cells("Server") == {code.value for code in ErrorCode}


def test_a_handshake_error_is_the_peers_fault_and_names_its_reason() -> None:
    error = HandshakeError(HandshakeReason.CLOCK, "check the clock")
    assert isinstance(error, RemoteProtocolError)
    assert (error.reason, str(error)) == (HandshakeReason.CLOCK, "check the clock")
