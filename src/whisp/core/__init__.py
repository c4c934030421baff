"""The protocol without I/O: bytes, keys and `now` in; values out, or an error that says whose fault it is."""
