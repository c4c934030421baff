"""The commands: each takes a `Session` and values, works, and returns an Exit."""
