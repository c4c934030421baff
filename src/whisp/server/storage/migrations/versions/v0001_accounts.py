"""Accounts, devices, claimed names and logged-out tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go on to this revision."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("username", sa.String(32), nullable=False),
        sa.Column("account_key", sa.LargeBinary(32)),
        sa.Column("device_list", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("username", name="uq_accounts_username"),
        sa.UniqueConstraint("account_key", name="uq_accounts_account_key"),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_devices_account_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_devices_account_id", "devices", ["account_id"])
    op.create_table(
        "claimed_names",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_claimed_names"),
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revoked_tokens"),
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("revoked_tokens")
    op.drop_table("claimed_names")
    op.drop_index("ix_devices_account_id", "devices")
    op.drop_table("devices")
    op.drop_table("accounts")
