"""The server: a directory, a switchboard and a blind relay. It imports nothing that could read a message."""
