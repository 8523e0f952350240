"""Imports of several kinds of records, that can be resumed and undone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "customer_import_before",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["customer_import.id"],
            name=op.f("customer_import_before_import_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("import_id", "id", name=op.f("customer_import_before_pkey")),
    )
    op.create_table(
        "customer_import_kept",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["customer_import.id"], name=op.f("customer_import_kept_import_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("customer_import_kept_pkey")),
    )
    op.create_index(
        "customer_import_kept_import_id_idx",
        "customer_import_kept",
        ["import_id", "id"],
        unique=False,
    )
    op.add_column("bill", sa.Column("import_number", sa.Integer(), nullable=True))
    op.create_index(
        "bill_import_number_idx", "bill", ["import_number"], unique=False, postgresql_using="brin"
    )
    op.add_column(
        "customer_import",
        sa.Column("number", sa.Integer(), sa.Identity(always=True), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column("records", sa.String(), server_default=sa.text("'customers'"), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column("mapping_text", sa.String(), server_default=sa.text("''"), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column(
            "parameters",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column(
        "customer_import",
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column("stored", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column("size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column(
            "header",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
    )
    op.add_column("customer_import", sa.Column("problem", sa.String(), nullable=True))
    op.add_column(
        "customer_import",
        sa.Column(
            "samples",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
    )
    op.add_column(
        "customer_import", sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("customer_import", sa.Column("undone_by", sa.String(), nullable=True))
    op.add_column(
        "customer_import",
        sa.Column("undone", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "customer_import",
        sa.Column("kept", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.drop_constraint(op.f("customer_import_state_check"), "customer_import", type_="check")
    op.create_check_constraint(
        op.f("customer_import_state_check"),
        "customer_import",
        "state IN ('queued', 'loading', 'completed', 'rehearsed', 'cancelled', 'failed', 'undoing', 'undone')",
    )
    op.create_check_constraint(
        op.f("customer_import_records_check"),
        "customer_import",
        "records IN ('customers', 'subscriptions', 'bills', 'usage', 'interactions')",
    )
    op.create_unique_constraint(op.f("customer_import_number_key"), "customer_import", ["number"])
    op.add_column(
        "customer_import_reject", sa.Column("row_cipher", sa.LargeBinary(), nullable=True)
    )
    op.add_column("interaction", sa.Column("import_number", sa.Integer(), nullable=True))
    op.create_index(
        "interaction_import_number_idx",
        "interaction",
        ["import_number"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_index(
        "subscription_msisdn_idx", "subscription", ["msisdn", "entry_date"], unique=False
    )
    op.add_column("usage_month", sa.Column("import_number", sa.Integer(), nullable=True))
    op.create_index(
        "usage_month_import_number_idx",
        "usage_month",
        ["import_number"],
        unique=False,
        postgresql_using="brin",
    )


def downgrade() -> None:
    """Take the database back."""
    op.drop_index(
        "usage_month_import_number_idx", table_name="usage_month", postgresql_using="brin"
    )
    op.drop_column("usage_month", "import_number")
    op.drop_index("subscription_msisdn_idx", table_name="subscription")
    op.drop_index(
        "interaction_import_number_idx", table_name="interaction", postgresql_using="brin"
    )
    op.drop_column("interaction", "import_number")
    op.drop_column("customer_import_reject", "row_cipher")
    op.drop_constraint(op.f("customer_import_records_check"), "customer_import", type_="check")
    op.drop_constraint(op.f("customer_import_state_check"), "customer_import", type_="check")
    # Earlier programs know an import that has not come to its end as one that is loading.
    op.execute(
        "UPDATE customer_import SET state = 'loading' WHERE state NOT IN ('loading', 'completed')"
    )
    op.create_check_constraint(
        op.f("customer_import_state_check"), "customer_import", "state IN ('loading', 'completed')"
    )
    op.drop_constraint(op.f("customer_import_number_key"), "customer_import", type_="unique")
    op.drop_column("customer_import", "kept")
    op.drop_column("customer_import", "undone")
    op.drop_column("customer_import", "undone_by")
    op.drop_column("customer_import", "undone_at")
    op.drop_column("customer_import", "samples")
    op.drop_column("customer_import", "problem")
    op.drop_column("customer_import", "header")
    op.drop_column("customer_import", "position")
    op.drop_column("customer_import", "size")
    op.drop_column("customer_import", "stored")
    op.drop_column("customer_import", "dry_run")
    op.drop_column("customer_import", "parameters")
    op.drop_column("customer_import", "mapping_text")
    op.drop_column("customer_import", "records")
    op.drop_column("customer_import", "number")
    op.drop_index("bill_import_number_idx", table_name="bill", postgresql_using="brin")
    op.drop_column("bill", "import_number")
    op.drop_index("customer_import_kept_import_id_idx", table_name="customer_import_kept")
    op.drop_table("customer_import_kept")
    op.drop_table("customer_import_before")
