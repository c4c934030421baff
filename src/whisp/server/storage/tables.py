"""The tables. Every column is listed in docs/guides/retention.md with what it is for and when it goes.

Nothing here says from where an account was used, or with whom. Two times stand in what its devices signed:
when they were made and, because a list is renewed when less than three of its seven days are left, when the
account was last online, to within four days.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table

__all__ = ["accounts", "claimed_names", "devices", "metadata", "revoked_tokens"]

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    # In canonical form; `deleted-` and random digits once the account is erased.
    Column("username", String(32), nullable=False, unique=True),
    # AK and the newest signed device list; both go when the account is erased.
    Column("account_key", LargeBinary(32), unique=True),
    Column("device_list", LargeBinary),
)

devices: Final = Table(
    "devices",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("certificate", LargeBinary, nullable=False),
)

claimed_names: Final = Table(
    "claimed_names",
    metadata,
    # A keyed hash of every name that was ever claimed. It outlives the account: no name is given out twice.
    Column("digest", LargeBinary(32), primary_key=True),
)

revoked_tokens: Final = Table(
    "revoked_tokens",
    metadata,
    # Tokens that were logged out, until they would have died by themselves.
    Column("id", LargeBinary(16), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)
