"""What a failed check of keys says about the server, in words for a person."""

from typing import Final

from whisp.client.events import ServerWarned, ServerWarning
from whisp.core.errors import HandshakeReason
from whisp.wire.ids import Username

__all__ = ["warn_of", "warning_for"]

_WARNINGS: Final = {
    HandshakeReason.LIST_STALE: ServerWarning.STALE_DEVICE_LIST,
    HandshakeReason.LIST_FORKED: ServerWarning.FORKED_DEVICE_LIST,
    HandshakeReason.LIST_FORGED: ServerWarning.UNSIGNED_DEVICE_LIST,
    HandshakeReason.DEVICE_NOT_LISTED: ServerWarning.UNSIGNED_DEVICE_LIST,
    HandshakeReason.CERTIFICATE_MISMATCH: ServerWarning.UNSIGNED_DEVICE_LIST,
    HandshakeReason.CERTIFICATE_FORGED: ServerWarning.UNSIGNED_DEVICE_LIST,
    HandshakeReason.WRONG_ACCOUNT: ServerWarning.UNSIGNED_DEVICE_LIST,
    HandshakeReason.ACCOUNT_CHANGED: ServerWarning.UNSIGNED_DEVICE_LIST,
}

_SENTENCES: Final = {
    ServerWarning.UNSIGNED_DEVICE_LIST: "The server shows a device that the account did not sign for.",
    ServerWarning.FORKED_DEVICE_LIST: "The server shows different people different device lists.",
    ServerWarning.STALE_DEVICE_LIST: "The server shows an old device list, which can hide a removed device.",
    ServerWarning.BAD_PRE_KEYS: "The server shows keys that the device did not sign.",
    ServerWarning.OTHER_NAME: "The server shows someone you know under another name.",
}


def warning_for(reason: HandshakeReason) -> ServerWarning:
    """Return what kind of lie a failed check of what the server showed amounts to."""
    return _WARNINGS.get(reason, ServerWarning.BAD_PRE_KEYS)


def warn_of(warning: ServerWarning, about: Username) -> ServerWarned:
    """Return the event, with its sentence."""
    return ServerWarned(warning, about, _SENTENCES[warning])
