"""A TURN client without manners: asks for what it likes and tells the error code (RFC 8656)."""

import hashlib
import hmac
import ipaddress
import os
import socket
import struct
from typing import Final, Self

__all__ = ["FORBIDDEN", "QUOTA_REACHED", "UNAUTHORIZED", "TurnClient"]

COOKIE: Final = 0x2112A442
ALLOCATE, CREATE_PERMISSION, CHANNEL_BIND, SEND = 0x003, 0x008, 0x009, 0x016
USERNAME, INTEGRITY, ERROR, CHANNEL, LIFETIME = 0x0006, 0x0008, 0x0009, 0x000C, 0x000D
PEER, DATA, REALM, NONCE, RELAYED, FAMILY, TRANSPORT = 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0019
UDP, TCP = 17, 6
UNAUTHORIZED, FORBIDDEN, QUOTA_REACHED = 401, 403, 486


class TurnClient:
    """One allocation, or the attempt at one. Every call returns None when it was granted, else the error."""

    def __init__(self, port: int, username: str, password: str) -> None:
        self._server = ("127.0.0.1", port)
        self._username, self._password = username, password
        self._realm = self._nonce = b""
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.settimeout(3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def allocate(self, version: int = 4, transport: int = UDP) -> int | None:
        """Ask for a relayed address."""
        family = b"" if version == 4 else _attribute(FAMILY, bytes((2, 0, 0, 0)))
        body = _attribute(TRANSPORT, bytes((transport, 0, 0, 0))) + family
        first, attributes = self._ask(ALLOCATE, body)
        if first == UNAUTHORIZED and NONCE in attributes:
            self._realm, self._nonce = attributes[REALM], attributes[NONCE]
            return self._ask(ALLOCATE, body)[0]
        return first

    def permit(self, ip: str) -> int | None:
        """Ask to be heard by a peer."""
        return self._ask(CREATE_PERMISSION, self._peer(ip, 4711))[0]

    def bind(self, ip: str, port: int) -> int | None:
        """Ask for a channel to a peer."""
        number = _attribute(CHANNEL, struct.pack(">HH", 0x4000, 0))
        return self._ask(CHANNEL_BIND, number + self._peer(ip, port))[0]

    def send(self, ip: str, port: int, data: bytes) -> None:
        """Send data to a peer, permitted or not. Nothing comes back."""
        body = self._peer(ip, port) + _attribute(DATA, data)
        self._socket.sendto(_message(SEND | 0x0010, os.urandom(12), body), self._server)

    def _peer(self, ip: str, port: int) -> bytes:
        """Return XOR-PEER-ADDRESS. An IPv6 one is xored with the transaction too, so each has its own."""
        address = ipaddress.ip_address(ip)
        self._transaction = os.urandom(12)
        key = struct.pack(">I", COOKIE) + self._transaction
        xored = bytes(a ^ b for a, b in zip(address.packed, key, strict=False))
        return _attribute(
            PEER, struct.pack(">BBH", 0, 1 if address.version == 4 else 2, port ^ 0x2112) + xored
        )

    def _ask(self, method: int, body: bytes) -> tuple[int | None, dict[int, bytes]]:
        transaction = getattr(self, "_transaction", None) or os.urandom(12)
        self._transaction = b""
        if self._nonce:
            body += _attribute(USERNAME, self._username.encode())
            body += _attribute(REALM, self._realm) + _attribute(NONCE, self._nonce)
            secret = b":".join((self._username.encode(), self._realm, self._password.encode()))
            signed = _message(method, transaction, body, further=24)
            key = hashlib.md5(secret, usedforsecurity=False).digest()
            body += _attribute(INTEGRITY, hmac.digest(key, signed, "sha1"))
        self._socket.sendto(_message(method, transaction, body), self._server)
        while True:
            answer = self._socket.recv(2048)
            if answer[8:20] == transaction:
                break
        attributes = _attributes(answer[20:])
        if ERROR not in attributes:
            return None, attributes
        return attributes[ERROR][2] * 100 + attributes[ERROR][3], attributes


def _message(kind: int, transaction: bytes, body: bytes, further: int = 0) -> bytes:
    return struct.pack(">HHI", kind, len(body) + further, COOKIE) + transaction + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _attributes(body: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(body) >= 4:
        kind, length = struct.unpack(">HH", body[:4])
        found.setdefault(kind, body[4 : 4 + length])
        body = body[4 + length + -length % 4 :]
    return found
