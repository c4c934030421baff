"""TURN: credentials for the relay of WebRTC lines, which coturn and not this server runs."""
