"""The root of every error Whisp raises, and the two that say whose fault a protocol failure is.

WhispError
├── LocalProtocolError       our side asked for something the protocol does not allow
└── RemoteProtocolError      the other side sent something the protocol does not allow
    ├── MalformedError       bytes that are not a value of the layout they claim
    └── VerificationError    a well-formed value whose signature, time or binding is wrong
        ├── ForgedError      its signature does not hold
        ├── NotYetValidError its time has not come: one of two clocks is wrong
        └── ExpiredError     its time is over
"""

__all__ = [
    "ExpiredError",
    "ForgedError",
    "LocalProtocolError",
    "MalformedError",
    "NotYetValidError",
    "RemoteProtocolError",
    "VerificationError",
    "WhispError",
]


class WhispError(Exception):
    """The base of all errors of this package; `str()` of it is a sentence fit to show a person."""


class LocalProtocolError(WhispError):
    """Our own side broke a rule: a bug or a misuse, never the peer's fault."""


class RemoteProtocolError(WhispError):
    """The other side broke a rule. What it sent changed no state."""


class MalformedError(RemoteProtocolError):
    """Bytes do not decode: wrong length, trailing bytes, an unknown flag or an impossible value."""


class VerificationError(RemoteProtocolError):
    """A signature, a hash, a validity period or a binding does not hold."""


class ForgedError(VerificationError):
    """A signature does not hold."""


class NotYetValidError(VerificationError):
    """A validity period starts later than any honest clock error explains."""


class ExpiredError(VerificationError):
    """A validity period is over, clock error allowed for."""
