"""The OpenAPI document: served, complete, and true of every call, also of those FastAPI never sees."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from tests.server.house import House, house

from whisp.server.app import OPERATIONS
from whisp.server.openapi import describe
from whisp.wire import api
from whisp.wire.codes import ErrorCode

DOCUMENT = describe(OPERATIONS)
EXAMPLES = 40
"""Per call; with both right and wrong data."""

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]

schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def fresh_token() -> Iterator[tuple[str, Callable[[], str]]]:
    """Run a server beside the test; give its origin, and what makes a token that nothing has ended yet."""
    ready, done = threading.Event(), threading.Event()
    shared: list[Any] = []

    async def serve() -> None:
        async with house(rate_factor=1e6) as rooms:
            odile = await rooms.person("odile")
            shared.extend((rooms, odile))
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    rooms, odile = shared
    tokens = rooms.application.tokens
    yield odile.origin, lambda: tokens.issue(odile.device.device, odile.origin).token
    done.set()
    thread.join()


@schema.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
def test_every_call_answers_as_described(
    case: schemathesis.Case[Any], fresh_token: tuple[str, Callable[[], str]]
) -> None:
    origin, token = fresh_token
    response = case.call(base_url=origin, headers={"Authorization": f"Bearer {token()}"})
    case.validate_response(response, checks=CHECKS)


async def test_the_document_is_the_one_that_is_served() -> None:
    async with house() as rooms:
        reply = await (await rooms.dial()).ask("GET", "/openapi.json")
        assert msgspec.json.decode(reply.body) == DOCUMENT


def test_the_document_is_openapi() -> None:
    """By the parts of the specification's own schema that matter: every reference leads somewhere."""
    assert DOCUMENT["openapi"] == "3.1.0"
    components = DOCUMENT["components"]["schemas"]
    text = msgspec.json.encode(DOCUMENT).decode()
    for reference in {part.split('"')[0] for part in text.split('"$ref":"#/components/schemas/')[1:]}:
        assert reference in components
    for shape in components.values():
        jsonschema_rs.Draft202012Validator({**shape, "components": {"schemas": components}})
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)


async def test_every_call_of_the_document_is_served_and_no_other_is() -> None:
    described = {(method.upper(), path) for path, calls in DOCUMENT["paths"].items() for method in calls}
    async with house(rate_factor=1000) as rooms:
        http = await rooms.dial()
        served = set()
        for path in DOCUMENT["paths"]:
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
                reply = await http.ask(method, path)
                assert reply.status != 404
                if reply.status != 405:
                    served.add((method, path))
    assert served == described


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_what_the_gate_refuses_is_described(operation: Any) -> None:
    responses = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]

    async def seen(rooms: House) -> set[int]:
        http = await rooms.dial()
        replies = [
            await http.ask(operation.method, operation.path, b"{", headers={"Content-Type": media_type})
            for media_type in ("application/json", "text/plain")
        ]
        replies.append(
            await http.ask(operation.method, operation.path, headers={"Origin": "https://x.example"})
        )
        return {reply.status for reply in replies}

    async with house(rate_factor=0.001) as rooms:
        statuses = await seen(rooms) | await seen(rooms)
    assert {str(status) for status in statuses} <= set(responses)


def test_every_error_shape_names_every_code() -> None:
    codes = DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]
    reference = codes.get("$ref", "").rpartition("/")[2]
    values = (DOCUMENT["components"]["schemas"][reference] if reference else codes)["enum"]
    assert set(values) == {code.value for code in ErrorCode}
    assert api.Error.__name__ in DOCUMENT["components"]["schemas"]
