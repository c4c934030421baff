"""The live half: sockets, calls, and the relay between them."""
