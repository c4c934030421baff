"""Three flights that make a call of a bundle: OFFER, ANSWER, CONFIRM (spec/handshake.md).

Each state is a type, and gives way to the next only after everything about a message was verified:

    place_offer -> OfferedCall --receive_answer--> ConfirmedCall.confirm -> SessionSecrets
    receive_offer -> IncomingCall --accept--> AnsweredCall --receive_confirm--> SessionSecrets
"""

from whisp.core.handshake.callee import CONFIRM_WAIT_SECONDS, AnsweredCall, IncomingCall, receive_offer
from whisp.core.handshake.caller import ConfirmedCall, OfferedCall, place_offer, verify_bundle
from whisp.core.handshake.checks import MAX_INVALID_ANSWERS, local_wins_glare, verify_fingerprint
from whisp.core.handshake.payloads import (
    MAX_TRANSPORT_BYTES,
    NO_FINGERPRINT,
    CallFlags,
    CancelReason,
    DeclineReason,
    ListView,
)
from whisp.core.handshake.session_secrets import (
    Exporter,
    PqChainKey,
    PqRootKey,
    Role,
    RootKey,
    SessionSecrets,
)

__all__ = [
    "CONFIRM_WAIT_SECONDS",
    "MAX_INVALID_ANSWERS",
    "MAX_TRANSPORT_BYTES",
    "NO_FINGERPRINT",
    "AnsweredCall",
    "CallFlags",
    "CancelReason",
    "ConfirmedCall",
    "DeclineReason",
    "Exporter",
    "IncomingCall",
    "ListView",
    "OfferedCall",
    "PqChainKey",
    "PqRootKey",
    "Role",
    "RootKey",
    "SessionSecrets",
    "local_wins_glare",
    "place_offer",
    "receive_offer",
    "verify_bundle",
    "verify_fingerprint",
]
