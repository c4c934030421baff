"""The sans-I/O protocol: bytes, `now` and keys in; bytes and events out. No socket, no clock, no log."""
