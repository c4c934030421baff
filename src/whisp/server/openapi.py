"""The OpenAPI document, made of the same operations the gate enforces and the same shapes msgspec reads."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from whisp.server.gate.answers import STATUS
from whisp.server.operations import Operation
from whisp.wire import api
from whisp.wire.codes import ErrorCode
from whisp.wire.version import CURRENT

__all__ = ["describe"]

_SCHEMAS: Final = "#/components/schemas/"

_ALWAYS: Final = (
    ErrorCode.BAD_REQUEST,
    ErrorCode.FORBIDDEN,
    ErrorCode.MISDIRECTED,
    ErrorCode.INTERNAL,
    ErrorCode.UNAVAILABLE,
)
_WITH_BODY: Final = (ErrorCode.TOO_LARGE, ErrorCode.UNSUPPORTED_MEDIA_TYPE)


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the document (OpenAPI 3.1) that describes `operations` and nothing else."""
    operations = tuple(operations)
    shapes = {operation.answer for operation in operations} | {api.Error}
    shapes |= {operation.request for operation in operations if operation.request is not None}
    structs = sorted((shape for shape in shapes if shape is not dict), key=lambda shape: shape.__name__)
    references, components = msgspec.json.schema_components(structs, ref_template=_SCHEMAS + "{name}")
    schema_of = dict(zip(structs, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Whisp",
            "version": str(CURRENT),
            "description": "The HTTP half of spec/signalling.md. The WebSocket half is at /v1/connect.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            str(operation.status): {
                "description": "It is done.",
                "content": _json(schema_of.get(operation.answer, {"type": "object"})),
            },
            **_errors(operation, schema_of[api.Error]),
        },
    }
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": _json(schema_of[operation.request])}
    if operation.needs_token:
        described["security"] = [{"token": []}]
    return described


def _errors(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    codes = [*_ALWAYS, *operation.errors]
    if operation.request is not None:
        codes += _WITH_BODY
    if operation.needs_token:
        codes.append(ErrorCode.UNAUTHORIZED)
    if operation.allowance is not None:
        codes.append(ErrorCode.TOO_MANY_REQUESTS)
    by_status: dict[str, list[str]] = {}
    for code in sorted(set(codes), key=lambda code: STATUS[code]):
        by_status.setdefault(str(STATUS[code]), []).append(code.value)
    return {
        status: {"description": ", ".join(names), "content": _json(schema)}
        for status, names in by_status.items()
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
