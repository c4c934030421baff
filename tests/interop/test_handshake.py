"""Python and TypeScript call each other, with random identities, in both directions."""

from collections.abc import Callable, Iterator
from os import urandom
from random import Random
from typing import Any, Protocol

import pytest
from tests.core.people import Person, strangers
from tests.interop.node import NodeProgram

from whisp.core.errors import HandshakeError
from whisp.core.handshake import (
    NO_FINGERPRINT,
    AnsweredCall,
    CallFlags,
    CancelReason,
    DeclineReason,
    IncomingCall,
    ListView,
    OfferedCall,
    SessionSecrets,
    place_offer,
    receive_offer,
)
from whisp.core.safety_number import safety_number, session_code
from whisp.wire.errors import WhispError
from whisp.wire.ids import AccountId, CallId
from whisp.wire.prekey import PreKeyBundle

NOW = 1_800_000_000
ROUNDS = 30
LARGEST_TRANSPORT = 16 * 1024


class Peer(Protocol):
    """One side of a call: byte strings go in and out as hex, a refusal comes as its error and reason."""

    def begin(self) -> None:
        """Become someone new."""

    def ask(self, what: str, **fields: str | int) -> dict[str, Any]:
        """Do one step of a call."""


class TypeScriptPeer:
    """web/tests/interop/handshake-peer.ts, which does the same steps."""

    def __init__(self, program: NodeProgram) -> None:
        self._program = program

    def begin(self) -> None:
        assert self.ask("begin") == {}

    def ask(self, what: str, **fields: str | int) -> dict[str, Any]:
        texts = {name: value for name, value in fields.items() if isinstance(value, str)}
        numbers = {name: value for name, value in fields.items() if isinstance(value, int)}
        return self._program.ask({"do": what, "now": NOW, "bytes": texts, "numbers": numbers})


class PythonPeer:
    """This package."""

    def begin(self) -> None:
        self._person = Person.create(NOW)
        self._offered: OfferedCall | None = None
        self._incoming: IncomingCall | None = None
        self._answered: AnsweredCall | None = None

    def ask(self, what: str, **fields: str | int) -> dict[str, Any]:
        given = {name: bytes.fromhex(value) for name, value in fields.items() if isinstance(value, str)}
        numbers = {name: value for name, value in fields.items() if isinstance(value, int)}
        step: Callable[[dict[str, bytes], dict[str, int]], dict[str, Any]]
        step = getattr(self, "_" + what.replace(" ", "_"))
        try:
            return step(given, numbers)
        except WhispError as error:
            reason = error.reason.value if isinstance(error, HandshakeError) else None
            return {"error": type(error).__name__, "refused": reason}

    def _bundle(self, _: dict[str, bytes], numbers: dict[str, int]) -> dict[str, Any]:
        bundle = self._person.device.bundle(one_time=numbers["has_one_time"] == 1)
        return {"account": self._person.account.hex(), "bundle": bundle.encode().hex()}

    def _ring(self, given: dict[str, bytes], numbers: dict[str, int]) -> dict[str, Any]:
        self._offered = place_offer(
            self._person.local,
            PreKeyBundle.decode(given["bundle"]),
            None,
            CallId(given["call_id"]),
            given["transport"],
            given["fingerprint"],
            CallFlags(numbers["call_flags"]),
            NOW,
        )
        return {"offer": self._offered.offer.hex()}

    def _hear(self, given: dict[str, bytes], _: dict[str, int]) -> dict[str, Any]:
        device = self._person.device
        call = receive_offer(device.local, device.prekeys, given["offer"], strangers, NOW)
        self._incoming = call
        return {
            "account": call.peer.account.hex(),
            "device": call.peer.device.hex(),
            "call_id": call.call_id.hex(),
            "transport": call.transport.hex(),
            "fingerprint": call.fingerprint.hex(),
            "call_flags": int(call.call_flags),
            "list_view": call.list_view.value,
        }

    def _accept(self, given: dict[str, bytes], _: dict[str, int]) -> dict[str, Any]:
        assert self._incoming is not None
        answer, self._answered = self._incoming.accept(given["transport"], given["fingerprint"], NOW)
        return {"answer": answer.hex()}

    def _receive_answer(self, given: dict[str, bytes], _: dict[str, int]) -> dict[str, Any]:
        assert self._offered is not None
        confirmed = self._offered.receive_answer(given["answer"], NOW)
        return {
            "confirm": confirmed.confirm(given["first_message"]).hex(),
            "transport": confirmed.transport.hex(),
            "fingerprint": confirmed.fingerprint.hex(),
            "list_view": confirmed.list_view.value,
            "session": _shown(confirmed.secrets),
        }

    def _receive_confirm(self, given: dict[str, bytes], _: dict[str, int]) -> dict[str, Any]:
        assert self._answered is not None
        secrets, first = self._answered.receive_confirm(given["confirm"])
        return {"first_message": first.hex(), "session": _shown(secrets)}

    def _decline(self, _: dict[str, bytes], numbers: dict[str, int]) -> dict[str, Any]:
        assert self._incoming is not None
        return {"message": self._incoming.decline(DeclineReason(numbers["reason"])).hex()}

    def _cancel(self, _: dict[str, bytes], numbers: dict[str, int]) -> dict[str, Any]:
        assert self._offered is not None
        return {"message": self._offered.cancel(CancelReason(numbers["reason"])).hex()}

    def _receive_decline(self, given: dict[str, bytes], _: dict[str, int]) -> dict[str, Any]:
        assert self._offered is not None
        return {"reason": int(self._offered.receive_decline(given["message"]))}

    def _receive_cancel(self, given: dict[str, bytes], _: dict[str, int]) -> dict[str, Any]:
        state = self._answered or self._incoming
        assert state is not None
        return {"reason": int(state.receive_cancel(given["message"]))}

    def _safety_number(self, given: dict[str, bytes], _: dict[str, int]) -> dict[str, Any]:
        return {"number": safety_number(self._person.account, AccountId(given["account"]))}


def _shown(secrets: SessionSecrets) -> dict[str, str]:
    exporter = secrets.exporter.expose()
    return {
        "sid": secrets.sid.hex(),
        "root_key": secrets.root_key.expose().hex(),
        "pq_root": secrets.pq_root.expose().hex(),
        "pq_chain_a": secrets.pq_chain_a.expose().hex(),
        "pq_chain_b": secrets.pq_chain_b.expose().hex(),
        "exporter": exporter.hex(),
        "ratchet_key": secrets.ratchet_public_key.hex(),
        "code": session_code(exporter),
    }


@pytest.fixture(scope="module")
def typescript() -> Iterator[TypeScriptPeer]:
    with NodeProgram("handshake-peer.ts") as program:
        yield TypeScriptPeer(program)


@pytest.fixture(params=["python calls typescript", "typescript calls python"])
def sides(request: pytest.FixtureRequest, typescript: TypeScriptPeer) -> tuple[Peer, Peer]:
    """Return caller and callee."""
    python = PythonPeer()
    return (python, typescript) if request.param.startswith("python") else (typescript, python)


def _ring(caller: Peer, callee: Peer, **fields: str | int) -> tuple[dict[str, Any], str]:
    """Let two new people begin a call; return what the callee gave out, and the OFFER."""
    caller.begin()
    callee.begin()
    given = callee.ask("bundle", has_one_time=fields.pop("has_one_time", 1))
    proposal: dict[str, str | int] = {
        "call_id": urandom(16).hex(),
        "transport": b"way".hex(),
        "fingerprint": NO_FINGERPRINT.hex(),
        "call_flags": 0,
    }
    rung = caller.ask("ring", **(proposal | {"bundle": given["bundle"]} | fields))
    return given, rung["offer"]


def test_thirty_calls_end_in_the_same_secrets(sides: tuple[Peer, Peer]) -> None:
    caller, callee = sides
    random = Random(30)
    seen: set[str] = set()
    for round_ in range(ROUNDS):
        proposal: dict[str, str | int] = {
            "has_one_time": round_ % 2,
            "call_id": urandom(16).hex(),
            "transport": urandom(random.choice((0, 1, 300, 2000, LARGEST_TRANSPORT))).hex(),
            "fingerprint": urandom(32).hex(),
            "call_flags": random.randrange(2),
        }
        given, offer = _ring(caller, callee, **proposal)
        heard = callee.ask("hear", offer=offer)
        for name in ("call_id", "transport", "fingerprint", "call_flags"):
            assert heard[name] == proposal[name]
        assert heard["list_view"] == ListView.SAME.value
        back = {"transport": urandom(random.randrange(900)).hex(), "fingerprint": urandom(32).hex()}
        answer = callee.ask("accept", **back)["answer"]
        first = urandom(random.randrange(1, 2000)).hex()
        confirmed = caller.ask("receive answer", answer=answer, first_message=first)
        assert {name: confirmed[name] for name in back} == back
        assert confirmed["list_view"] == ListView.SAME.value
        established = callee.ask("receive confirm", confirm=confirmed["confirm"])
        assert established["first_message"] == first
        assert established["session"] == confirmed["session"]
        seen |= set(established["session"].values())
        if round_ < 2:
            own, theirs = (
                caller.ask("safety number", account=given["account"]),
                callee.ask("safety number", account=heard["account"]),
            )
            assert own == theirs
            assert len(own["number"]) == 12 * 5 + 11
    assert len(seen) == 8 * ROUNDS


def test_refusals_carry_their_reasons_both_ways(sides: tuple[Peer, Peer]) -> None:
    caller, callee = sides
    for reason in DeclineReason:
        _, offer = _ring(caller, callee)
        callee.ask("hear", offer=offer)
        message = callee.ask("decline", reason=int(reason))["message"]
        assert caller.ask("receive decline", message=message) == {"reason": reason}
    for cancelled in CancelReason:
        for accepts in (False, True):
            _, offer = _ring(caller, callee)
            callee.ask("hear", offer=offer)
            if accepts:
                callee.ask("accept", transport="", fingerprint=NO_FINGERPRINT.hex())
            message = caller.ask("cancel", reason=int(cancelled))["message"]
            assert callee.ask("receive cancel", message=message) == {"reason": cancelled}


def test_s11_what_was_altered_is_refused_and_the_true_message_taken(sides: tuple[Peer, Peer]) -> None:
    caller, callee = sides
    _, offer = _ring(caller, callee)
    for at in (0, 1, 3, 4, 20, 36, 44, 52, 84, 1268, 2356, 2400, len(offer) // 2 - 1):
        assert callee.ask("hear", offer=_altered(offer, at))["error"] == "HandshakeError"
    callee.ask("hear", offer=offer)
    assert callee.ask("hear", offer=offer)["refused"] == "pre-key-used"
    answer = callee.ask("accept", transport="", fingerprint=NO_FINGERPRINT.hex())["answer"]
    for at in (0, 1, 3, 4, 20, 36, 68, 1156, 1200, len(answer) // 2 - 1):
        refused = caller.ask("receive answer", answer=_altered(answer, at), first_message="00")
        assert refused["error"] == "HandshakeError"
    confirmed = caller.ask("receive answer", answer=answer, first_message="00")
    for at in (0, 1, 3, 4, 20, 51):
        refused = callee.ask("receive confirm", confirm=_altered(confirmed["confirm"], at))
        assert refused["error"] == "HandshakeError"
    established = callee.ask("receive confirm", confirm=confirmed["confirm"])
    assert established["session"] == confirmed["session"]
    ended = callee.ask("receive confirm", confirm=confirmed["confirm"])
    assert ended == {"error": "ConsumedStateError", "refused": None}


def _altered(message: str, at: int) -> str:
    changed = bytearray.fromhex(message)
    changed[at] ^= 0x40
    return changed.hex()
