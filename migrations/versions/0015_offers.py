"""Keep preferential offers, with quotas, grants and uses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "offer",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("benefit_zh", sa.String(), nullable=False),
        sa.Column("benefit_en", sa.String(), nullable=False),
        sa.Column("value_fen", sa.BigInteger(), nullable=True),
        sa.Column("value_permille", sa.BigInteger(), nullable=True),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("units", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("levels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "condition", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("condition_text", sa.String(), nullable=True),
        sa.Column("approval_above_fen", sa.BigInteger(), nullable=True),
        sa.Column("exclusive_group", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(), nullable=False),
        sa.CheckConstraint("cost_fen >= 0", name=op.f("offer_cost_check")),
        sa.CheckConstraint(
            "num_nonnulls(value_fen, value_permille) = 1", name=op.f("offer_value_check")
        ),
        sa.CheckConstraint(
            "num_nulls(condition, condition_text) IN (0, 2)", name=op.f("offer_condition_check")
        ),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("offer_valid_check")),
        sa.CheckConstraint(
            "value_permille BETWEEN 1 AND 1000", name=op.f("offer_value_permille_check")
        ),
        sa.CheckConstraint("version > 0", name=op.f("offer_version_check")),
        sa.PrimaryKeyConstraint("code", name=op.f("offer_pkey")),
    )
    op.create_table(
        "offer_conflict",
        sa.Column("one_code", sa.Text(collation="C"), nullable=False),
        sa.Column("other_code", sa.Text(collation="C"), nullable=False),
        sa.CheckConstraint("one_code < other_code", name=op.f("offer_conflict_once_check")),
        sa.ForeignKeyConstraint(
            ["one_code"], ["offer.code"], name=op.f("offer_conflict_one_code_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["other_code"], ["offer.code"], name=op.f("offer_conflict_other_code_fkey")
        ),
        sa.PrimaryKeyConstraint("one_code", "other_code", name=op.f("offer_conflict_pkey")),
    )
    op.create_index("offer_conflict_other_code_idx", "offer_conflict", ["other_code"], unique=False)
    op.create_table(
        "offer_quota",
        sa.Column("offer_code", sa.Text(collation="C"), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=True),
        sa.Column("budget_fen", sa.BigInteger(), nullable=True),
        sa.Column("reserved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(uses, budget_fen) > 0", name=op.f("offer_quota_limits_check")
        ),
        sa.CheckConstraint(
            "reserved >= 0 AND reserved <= uses", name=op.f("offer_quota_uses_check")
        ),
        sa.CheckConstraint(
            "reserved_fen >= 0 AND reserved_fen <= budget_fen",
            name=op.f("offer_quota_budget_check"),
        ),
        sa.ForeignKeyConstraint(
            ["offer_code"], ["offer.code"], name=op.f("offer_quota_offer_code_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["unit_code"], ["organisation_unit.code"], name=op.f("offer_quota_unit_code_fkey")
        ),
        sa.PrimaryKeyConstraint("offer_code", "year", "unit_code", name=op.f("offer_quota_pkey")),
    )
    op.create_table(
        "offer_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offer_code", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("quota_year", sa.BigInteger(), nullable=True),
        sa.Column("quota_unit", sa.String(), nullable=True),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("granted_on", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("granter_id", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "CASE state WHEN 'used_in_part' THEN used > 0 AND used < uses WHEN 'used_up' THEN used = uses WHEN 'cancelled' THEN used < uses WHEN 'expired' THEN used < uses ELSE used = 0 END",
            name=op.f("offer_grant_used_check"),
        ),
        sa.CheckConstraint(
            "level IN ('diamond', 'gold', 'silver', 'standard')",
            name=op.f("offer_grant_level_check"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'refused', 'granted', 'used_in_part', 'used_up', 'cancelled', 'expired')",
            name=op.f("offer_grant_state_check"),
        ),
        sa.CheckConstraint(
            "num_nulls(decided_at, decided_by) IN (0, 2)", name=op.f("offer_grant_decided_check")
        ),
        sa.CheckConstraint(
            "uses > 0 AND used BETWEEN 0 AND uses", name=op.f("offer_grant_uses_check")
        ),
        sa.CheckConstraint("valid_until > granted_on", name=op.f("offer_grant_valid_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("offer_grant_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["offer_code", "quota_year", "quota_unit"],
            ["offer_quota.offer_code", "offer_quota.year", "offer_quota.unit_code"],
            name=op.f("offer_grant_offer_code_quota_year_quota_unit_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["offer_code"], ["offer.code"], name=op.f("offer_grant_offer_code_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["unit_code"], ["organisation_unit.code"], name=op.f("offer_grant_unit_code_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("offer_grant_pkey")),
    )
    op.create_index(
        "offer_grant_customer_id_idx", "offer_grant", ["customer_id", "id"], unique=False
    )
    op.create_index("offer_grant_offer_code_idx", "offer_grant", ["offer_code", "id"], unique=False)
    op.create_index(
        "offer_grant_open_idx",
        "offer_grant",
        ["valid_until"],
        unique=False,
        postgresql_where=sa.text("state IN ('proposed', 'granted', 'used_in_part')"),
    )
    op.create_table(
        "offer_use",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("offer_code", sa.Text(collation="C"), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("used_on", sa.Date(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_by", sa.String(), nullable=False),
        sa.Column("place_code", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "channel IN ('call_centre', 'hall', 'web', 'email', 'manager', 'sms')",
            name=op.f("offer_use_channel_check"),
        ),
        sa.CheckConstraint(
            "reason IN ('mistake', 'not_delivered', 'customer_wish')",
            name=op.f("offer_use_reason_check"),
        ),
        sa.CheckConstraint(
            "(reverses_id IS NULL) = (reason IS NULL)", name=op.f("offer_use_reversal_check")
        ),
        sa.CheckConstraint("sign(cost_fen) * uses >= 0", name=op.f("offer_use_cost_check")),
        sa.CheckConstraint(
            "uses = CASE WHEN reverses_id IS NULL THEN 1 ELSE -1 END",
            name=op.f("offer_use_uses_check"),
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["offer_grant.id"], name=op.f("offer_use_grant_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["offer_use.id"], name=op.f("offer_use_reverses_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("offer_use_pkey")),
        sa.UniqueConstraint("reverses_id", name=op.f("offer_use_reverses_id_key")),
        comment="append-only: uses of offers, and their reversals",
    )
    op.create_index("offer_use_grant_id_idx", "offer_use", ["grant_id", "id"], unique=False)
    op.create_index("offer_use_used_on_idx", "offer_use", ["used_on"], unique=False)


def downgrade() -> None:
    """Take the database back."""
    op.drop_index("offer_use_used_on_idx", table_name="offer_use")
    op.drop_index("offer_use_grant_id_idx", table_name="offer_use")
    op.drop_table("offer_use")
    op.drop_index(
        "offer_grant_open_idx",
        table_name="offer_grant",
        postgresql_where=sa.text("state IN ('proposed', 'granted', 'used_in_part')"),
    )
    op.drop_index("offer_grant_offer_code_idx", table_name="offer_grant")
    op.drop_index("offer_grant_customer_id_idx", table_name="offer_grant")
    op.drop_table("offer_grant")
    op.drop_table("offer_quota")
    op.drop_index("offer_conflict_other_code_idx", table_name="offer_conflict")
    op.drop_table("offer_conflict")
    op.drop_table("offer")
