"""`whisp demo`: a server and two clients on this machine, from making keys to leaving nothing."""

__all__ = ["main"]


def main() -> None:
    """Run the demonstration. Raises SystemExit(1) with a reason if anything is not as it should be."""
    from whisp.demo.director import main as direct

    direct()
