"""Which of the two drivers serves the WebSockets, as uvicorn is to be told. The other is not imported."""

from typing import Any, Literal, TypeAlias

from whisp.server.errors import StartError
from whisp.server.limits import PING_SECONDS
from whisp.server.signalling.door import Door
from whisp.wire.limits import MAX_FRAME_BYTES

__all__ = ["WebSocketDriver", "websocket_options"]

WebSocketDriver: TypeAlias = Literal["picows", "uvicorn"]
"""The setting: picows is the hot path, uvicorn's own WebSocket the fallback."""


def websocket_options(driver: WebSocketDriver, door: Door) -> dict[str, Any]:
    """Return the arguments of `uvicorn.Config` that concern WebSockets.

    With "uvicorn" the application must also route scopes of type `websocket` to a `WebSocketEndpoint`.

    Raises:
        StartError: picows is wanted and cannot be loaded.
    """
    if driver == "picows":
        try:
            from whisp.server.signalling.picows_driver import picows_protocol
        except ImportError:
            raise StartError("picows cannot be loaded. WHISP_WEBSOCKET=uvicorn does without it.") from None
        return {"ws": picows_protocol(door)}
    from whisp.server.signalling.asgi_driver import BoundedWebSocket

    return {
        "ws": BoundedWebSocket,
        "ws_max_size": MAX_FRAME_BYTES,
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "ws_per_message_deflate": False,
    }
