"""`whisp serve` and `whisp demo`: hand over to the rooms that do it."""

from pathlib import Path
from typing import Literal

from whisp.terminal.exits import Exit

__all__ = ["demo", "serve"]


def serve(host: str | None, port: int | None, data: Literal["none"] | Path | None) -> int:
    """Run the server until it is stopped. What is not given comes from its environment."""
    from whisp.server.serve import serve

    serve(host=host, port=port, data=data)
    return Exit.OK


def demo() -> int:
    """Run the demonstration. Raises SystemExit(1) if something is not as it should be."""
    from whisp.demo import main

    main()
    return Exit.OK
