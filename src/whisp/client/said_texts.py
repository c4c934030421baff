"""Which texts of a conversation can still be edited, deleted or reacted to, and what of that is told."""

from typing import Final

from whisp.client.events import Quote, Reacted, TextDeleted, TextEdited, TextReceived
from whisp.client.people import Member
from whisp.core import content as said
from whisp.wire.errors import LocalProtocolError

__all__ = ["MAX_TEXTS_KEPT", "SaidTexts", "reference_of"]

MAX_TEXTS_KEPT: Final = 10_000
"""Older texts of a side cannot be changed any more: what a peer says must not fill memory."""


class SaidTexts:
    """The numbers of the last texts of both sides; no content. A deleted one is forgotten at once.

    What the peer says of a text that is not among them is told nobody, so an application only hears of
    changes to texts it was given.
    """

    def __init__(self, peer: Member) -> None:
        self._peer = peer
        self._own: dict[int, None] = {}
        self._theirs: dict[int, None] = {}

    def sent(self, number: int) -> None:
        """Note an own text."""
        _keep(self._own, number)

    def require_own(self, number: int) -> None:
        """Raise LocalProtocolError unless that is a text of this side which can be changed."""
        if number not in self._own:
            raise LocalProtocolError("no text of this side has that number, or it was deleted")

    def delete_own(self, number: int) -> None:
        """Forget a text of this side. Raises LocalProtocolError if it is none."""
        self.require_own(number)
        del self._own[number]

    def reference(self, to: Quote) -> said.MessageReference:
        """Return how a reaction names a text. Raises LocalProtocolError if it is none."""
        if to.id not in (self._own if to.is_own else self._theirs):
            raise LocalProtocolError("no text has that number, or it was deleted")
        return reference_of(to)

    def heard(
        self,
        number: int,
        content: said.Text | said.TextEdit | said.TextDelete | said.Reaction,
        at: float,
    ) -> TextReceived | TextEdited | TextDeleted | Reacted | None:
        """Take what the peer said; return what to tell, None when it concerns no text that is known."""
        match content:
            case said.Text():
                _keep(self._theirs, number)
                quote = _quote_of(content.reply_to) if content.reply_to is not None else None
                return TextReceived(number, self._peer, content.body, at, quote)
            case said.TextEdit():
                known = content.number in self._theirs
                return TextEdited(content.number, self._peer, content.body, at) if known else None
            case said.TextDelete():
                if content.number not in self._theirs:
                    return None
                del self._theirs[content.number]
                return TextDeleted(content.number, self._peer)
            case said.Reaction():
                to = _quote_of(content.to)
                known = to.id in (self._own if to.is_own else self._theirs)
                return Reacted(to, self._peer, content.symbol) if known else None


def reference_of(quote: Quote) -> said.MessageReference:
    """Return what names `quote` on the way to the peer."""
    return said.MessageReference(said.Author.SENDER if quote.is_own else said.Author.RECEIVER, quote.id)


def _quote_of(reference: said.MessageReference) -> Quote:
    return Quote(reference.author is said.Author.RECEIVER, reference.number)


def _keep(numbers: dict[int, None], number: int) -> None:
    numbers[number] = None
    if len(numbers) > MAX_TEXTS_KEPT:
        del numbers[next(iter(numbers))]
