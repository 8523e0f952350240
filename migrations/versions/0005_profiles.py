"""Usage by month, and contacts with customers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "interaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("staff", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("source_key", sa.String(), nullable=True),
        sa.CheckConstraint(
            "channel IN ('call_centre', 'hall', 'web', 'email', 'manager', 'sms')",
            name=op.f("interaction_channel_check"),
        ),
        sa.CheckConstraint(
            "kind IN ('inquiry', 'business', 'complaint', 'fault', 'visit', 'outreach', 'other')",
            name=op.f("interaction_kind_check"),
        ),
        sa.CheckConstraint("subject <> ''", name=op.f("interaction_subject_check")),
        sa.CheckConstraint(
            "num_nulls(source, source_key) IN (0, 2)", name=op.f("interaction_source_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("interaction_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("interaction_pkey")),
    )
    op.create_index(
        "interaction_customer_id_idx", "interaction", ["customer_id", "at", "id"], unique=False
    )
    op.create_index("interaction_kind_idx", "interaction", ["kind", "at"], unique=False)
    op.create_index("interaction_source_key", "interaction", ["source", "source_key"], unique=True)
    op.create_table(
        "usage_month",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("charge_fen", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('voice_local', 'voice_long_distance', 'voice_roaming', 'sms', 'data')",
            name=op.f("usage_month_kind_check"),
        ),
        sa.CheckConstraint(
            "band IN ('day', 'evening', 'night', 'all')", name=op.f("usage_month_band_check")
        ),
        sa.CheckConstraint("extract(day FROM period) = 1", name=op.f("usage_month_period_check")),
        sa.CheckConstraint("quantity >= 0", name=op.f("usage_month_quantity_check")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("usage_month_subscription_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "subscription_id", "period", "kind", "band", name=op.f("usage_month_pkey")
        ),
    )
    op.create_index(
        "usage_month_period_idx",
        "usage_month",
        ["period"],
        unique=False,
        postgresql_using="brin",
    )


def downgrade() -> None:
    """Take the database back."""
    op.drop_table("usage_month")
    op.drop_table("interaction")
