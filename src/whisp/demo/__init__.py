"""`whisp demo`: a server and two clients on this machine, from making keys to leaving nothing."""

from whisp.demo.director import main

__all__ = ["main"]
