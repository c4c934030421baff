"""Receipts both ways: what this side owes the peer, and what the peer has confirmed.

A receipt names only what was decrypted and delivered in order (spec/session.md, Receipts).
"""

from typing import Final

from whisp.core.content import Receipt, ReceiptKind, Run
from whisp.core.events import Delivered, Event, Member, Read, Undelivered

__all__ = ["RECEIPT_COUNT", "RECEIPT_SECONDS", "ConfirmedReceipts", "OwedReceipts"]

RECEIPT_SECONDS: Final = 0.05
"""How long a receipt waits for company: not seen by a person, and one frame instead of many in a burst."""

RECEIPT_COUNT: Final = 24
"""So many deliveries are confirmed at once without waiting: a quarter of what a sender may have open."""


class OwedReceipts:
    """When to tell the peer how far its contents got."""

    __slots__ = ("_due_at", "_read", "_told_delivered", "_told_read")

    def __init__(self) -> None:
        self._read = 0
        self._told_delivered = 0
        self._told_read = 0
        self._due_at: float | None = None

    @property
    def due_at(self) -> float | None:
        """When a receipt should leave; None while none is owed."""
        return self._due_at

    def deliver(self, delivered: int, now: float) -> None:
        """Owe a receipt for everything up to `delivered`, soon, or at once if that is much."""
        if delivered - self._told_delivered >= RECEIPT_COUNT:
            self._due_at = now
        elif delivered > self._told_delivered:
            self._owe(now)

    def read(self, number: int, now: float) -> None:
        """Owe a receipt that the person saw everything up to `number`."""
        if number > self._read:
            self._read = number
            self._owe(now)

    def repeat(self, now: float) -> None:
        """Owe the last receipts again: the peer may not have got them."""
        self._told_delivered = self._told_read = 0
        self._owe(now)

    def take(self, delivered: int, lost: tuple[Run, ...]) -> list[Receipt]:
        """Return the receipts to send now, none if the peer was told all there is."""
        self._due_at = None
        receipts = []
        if self._read > self._told_read:
            receipts.append(_receipt(ReceiptKind.READ, self._read, lost))
        if delivered > max(self._told_delivered, self._read if receipts else 0):
            receipts.append(_receipt(ReceiptKind.DELIVERED, delivered, lost))
        self._told_delivered, self._told_read = delivered, self._read
        return receipts

    def _owe(self, now: float) -> None:
        if self._due_at is None:
            self._due_at = now + RECEIPT_SECONDS


class ConfirmedReceipts:
    """How far the peer says our contents got, told as events, each number once for each kind."""

    __slots__ = ("_sender", "delivered", "read")

    def __init__(self, sender: Member) -> None:
        self._sender = sender
        self.delivered = 0
        self.read = 0

    def receive(self, receipt: Receipt) -> list[Event]:
        """Return what this receipt says that none before it said."""
        events: list[Event] = []
        if receipt.up_to > self.delivered:
            for run, is_lost in _split(self.delivered + 1, receipt.up_to, receipt.lost):
                kind = Undelivered if is_lost else Delivered
                events.append(kind(self._sender, run.first, run.last))
            self.delivered = receipt.up_to
        if receipt.kind is ReceiptKind.READ and receipt.up_to > self.read:
            for run, is_lost in _split(self.read + 1, receipt.up_to, receipt.lost):
                if not is_lost:
                    events.append(Read(self._sender, run.first, run.last))
            self.read = receipt.up_to
        return events


def _receipt(kind: ReceiptKind, up_to: int, lost: tuple[Run, ...]) -> Receipt:
    below = tuple(Run(run.first, min(run.last, up_to)) for run in lost if run.first <= up_to)
    return Receipt(kind, up_to, below)


def _split(first: int, last: int, lost: tuple[Run, ...]) -> list[tuple[Run, bool]]:
    """Cut the numbers `first` to `last` into runs, each wholly lost or wholly not."""
    parts: list[tuple[Run, bool]] = []
    for run in lost:
        if run.last < first or run.first > last:
            continue
        if run.first > first:
            parts.append((Run(first, run.first - 1), False))
        parts.append((Run(max(first, run.first), min(last, run.last)), True))
        first = run.last + 1
    if first <= last:
        parts.append((Run(first, last), False))
    return parts
