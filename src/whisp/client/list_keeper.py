"""Keeps the own device list true: renewed in time, the same here, on the server and with the peers."""

import contextlib
from collections.abc import Callable
from typing import Protocol

from whisp.client.clock import Clock
from whisp.client.errors import RefusedIdentityError, ServerFaultError
from whisp.client.own_account import OwnAccount
from whisp.client.server_api import ServerApi
from whisp.core.identity import renewal_due
from whisp.wire.api import Account
from whisp.wire.certificate import Certificate
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import MalformedError

__all__ = ["ListKeeper"]


class _Adopt(Protocol):
    async def __call__(self, account: OwnAccount) -> None:
        """Go on with this account: save it, and show its list to the peers."""
        ...


class ListKeeper:
    """Compares the list the server shows with the one in the vault, and renews it.

    Args:
        account: returns the own account, as it is now.
        adopt: called with the account that carries a newer list, before the server gets it.
    """

    def __init__(
        self, api: ServerApi, clock: Clock, account: Callable[[], OwnAccount], adopt: _Adopt
    ) -> None:
        self._api = api
        self._clock = clock
        self._account = account
        self._adopt = adopt

    async def compare(self) -> None:
        """Look at the list the server shows for this account, and bring both sides up to date.

        Raises:
            RefusedIdentityError: this account did not sign it: the server lies.
            RevokedError: it is ours, and this device is not in it.
        """
        shown_account = await self._api.account()
        account = self._account()
        try:
            shown = DeviceList.decode(shown_account.device_list)
        except MalformedError:
            raise RefusedIdentityError("the server shows no device list") from None
        judged = account.judge(shown, self._clock.now())
        if judged is not account:
            await self._adopt(judged)
        if self.is_renewal_due:
            await self.renew()
        elif shown.version < judged.local.device_list.version:
            await self._put(judged, shown_account)

    @property
    def is_renewal_due(self) -> bool:
        """Whether the list should be signed anew."""
        return renewal_due(self._account().local.device_list, self._clock.now())

    async def renew(self) -> None:
        """Sign the next version: first into the vault, then to the server."""
        shown = await self._api.account()
        account = self._account()
        renewed = account.renewed(_certificates(account, shown), self._clock.now())
        await self._adopt(renewed)
        await self._put(renewed, shown)

    async def _put(self, account: OwnAccount, shown: Account) -> None:
        certificates = [certificate.encode() for certificate in _certificates(account, shown)]
        await self._api.put_device_list(account.local.device_list.encode(), certificates)


def _certificates(account: OwnAccount, shown: Account) -> tuple[Certificate, ...]:
    """Return the certificate of every active device, from the server but named by our own signed list."""
    known = {account.local.certificate.digest(): account.local.certificate}
    for encoded in shown.certificates:
        with contextlib.suppress(MalformedError):
            certificate = Certificate.decode(encoded)
            known[certificate.digest()] = certificate
    try:
        return tuple(known[device.certificate_digest] for device in account.local.device_list.active)
    except KeyError:
        raise ServerFaultError from None
