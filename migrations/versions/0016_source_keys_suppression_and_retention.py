"""Source keys of merged customers, and of those who were erased."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "customer_further_key",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_key", sa.String(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("customer_further_key_customer_id_fkey")
        ),
        sa.PrimaryKeyConstraint("source", "source_key", name=op.f("customer_further_key_pkey")),
    )
    op.create_index("customer_further_key_customer_id_idx", "customer_further_key", ["customer_id"])
    # Of merges that can be undone the merged profile is kept, and with it its key. Where an extract has made the
    # customer anew since, the key is that one's.
    op.execute("""
        INSERT INTO customer_further_key (source, source_key, customer_id, at)
        SELECT DISTINCT ON (1, 2) m.profile ->> 'source', m.profile ->> 'source_key', c.id, m.at
        FROM customer_merge m LEFT JOIN merged_customer n ON n.id = m.survivor_id
        JOIN customer c ON c.id = coalesce(n.survivor_id, m.survivor_id)
        WHERE m.state = 'done' AND m.profile ->> 'source' IS NOT NULL AND c.library <> 'erased' AND NOT EXISTS (
            SELECT FROM customer o
            WHERE o.source = m.profile ->> 'source' AND o.source_key = m.profile ->> 'source_key')
        ORDER BY 1, 2, m.at DESC""")
    op.create_table(
        "suppression",
        sa.Column("index", sa.LargeBinary(), nullable=False),
        sa.Column("erased_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("suppression_pkey")),
    )
    op.add_column(
        "customer_import",
        sa.Column("allow_erased", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    for mark in ("rejects_deleted_at", "final_at"):
        op.add_column("customer_import", sa.Column(mark, sa.DateTime(timezone=True), nullable=True))
    for table in ("customer_import_before", "customer_import_kept"):
        op.create_index(f"{table}_customer_id_idx", table, ["customer_id"])


def downgrade() -> None:
    """Take the change back."""
    for table in ("customer_import_before", "customer_import_kept"):
        op.drop_index(f"{table}_customer_id_idx", table_name=table)
    for name in ("final_at", "rejects_deleted_at", "allow_erased"):
        op.drop_column("customer_import", name)
    op.drop_table("suppression")
    op.drop_table("customer_further_key")
