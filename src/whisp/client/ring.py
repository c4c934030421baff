"""An incoming ring: someone identified wants to talk; nothing has left this device yet."""

from whisp.client.conversation import Conversation
from whisp.client.errors import RingEnd
from whisp.client.people import Contact, SafetyNumber
from whisp.wire.ids import AccountId, DeviceId, Username

__all__ = ["Ring"]


class Ring:
    """An incoming ring whose caller proved to hold its account's keys.

    No address and no sign of presence goes to the caller before `accept`.
    """

    caller: Username
    account: AccountId
    device: DeviceId
    started_at: float
    expires_at: float
    """When it stops ringing by itself, Unix seconds."""
    contact: Contact | None
    """The pinned contact of this name, None at first contact."""

    @property
    def is_verified(self) -> bool:
        """Say whether the caller is a contact whose safety number was compared."""
        return self.contact is not None and self.contact.verified

    @property
    def safety_number(self) -> SafetyNumber:
        """The number to compare with this caller."""
        raise NotImplementedError

    @property
    def end(self) -> RingEnd | None:
        """How it ended, None while it rings."""
        raise NotImplementedError

    async def ended(self) -> RingEnd:
        """Wait until it no longer rings, and say why."""
        raise NotImplementedError

    async def accept(self) -> Conversation:
        """Answer, and return the conversation once the caller has proved to be live.

        Raises:
            RingOverError: it was over already, or the caller did not confirm within ten seconds.
        """
        raise NotImplementedError

    async def decline(self, *, busy: bool = False) -> None:
        """Refuse; `busy` says "in another call" instead of no. Does nothing if it is over already."""
        raise NotImplementedError
