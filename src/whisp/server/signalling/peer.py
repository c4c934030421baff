"""What a socket's other side may say, by how much of it is known: the states of a connection as types.

Unidentified --HELLO--> Identifying --token and device are good--> Identified
"""

from dataclasses import dataclass

from whisp.server.signalling.calls import Calls
from whisp.server.signalling.effects import CountStray, Effects, Identify, Publish
from whisp.wire.codes import CloseCode
from whisp.wire.errors import MalformedError, RemoteProtocolError
from whisp.wire.frames import FrameType, HangUp, Hello, PreKeys, Relay, Signalled, decode_client_frame
from whisp.wire.ids import AccountId, DeviceId, Username
from whisp.wire.version import CURRENT

__all__ = ["Gone", "Identified", "Identifying", "Peer", "RefusedError", "Unidentified"]


class RefusedError(RemoteProtocolError):
    """The connection cannot go on, for a reason that has its own close code."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(slots=True)
class Unidentified:
    """A socket that has not said who it is."""

    address: str

    def receive(self, frame: bytes) -> Identify:
        """Take the first frame, which must be HELLO.

        Raises:
            RefusedError: it speaks another major version.
            MalformedError: it is anything but a HELLO.
        """
        if len(frame) >= 3 and frame[0] == FrameType.HELLO and frame[1] != CURRENT.major:
            # The rest of a HELLO of another major may look otherwise: do not try to read it.
            sentence = f"This server speaks version {CURRENT}, this client {frame[1]}.{frame[2]}."
            raise RefusedError(CloseCode.VERSION, sentence)
        hello = decode_client_frame(frame)
        if not isinstance(hello, Hello):
            raise MalformedError("The first frame must be HELLO.")
        return Identify(hello.token)


@dataclass(slots=True)
class Identifying:
    """A socket whose HELLO is being looked up."""

    address: str
    device: DeviceId | None = None

    def receive(self, frame: bytes) -> Effects:
        """Refuse every frame: a client waits for WELCOME. Raises MalformedError."""
        raise MalformedError("A frame before WELCOME.")


@dataclass(slots=True, eq=False)
class Identified:
    """A socket of a known device."""

    address: str
    device: DeviceId
    account: AccountId
    username: Username
    certificate: bytes
    device_list: bytes
    strays: int = 0
    pre_key_credit: float = 0.0
    pre_key_debts: int = 0
    """PRE_KEYS frames in a row that came before their turn."""
    pre_keys_at: float = 0.0

    def receive(self, frame: bytes, calls: Calls, now: float) -> Effects:
        """Take a frame that no link of this device matched.

        Raises:
            MalformedError: it is not a frame this side may get now.
        """
        match decode_client_frame(frame):
            case Relay():
                return (CountStray(),)
            case Signalled(device=recipient, signal=signal):
                return calls.signal(self.device, recipient, signal, now)
            case HangUp(call_id=call_id):
                return calls.hang_up(self.device, call_id, now)
            case PreKeys(records=records):
                return (Publish(records),)
            case Hello():
                raise MalformedError("A second HELLO.")


@dataclass(slots=True)
class Gone:
    """A socket that was told to close. What it still says is dropped."""

    address: str


Peer = Unidentified | Identifying | Identified | Gone
