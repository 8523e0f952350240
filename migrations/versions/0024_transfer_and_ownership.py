"""Transfer and ownership."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


_FENCED = {
    "customer": (
        "SELECT r.id FROM {rows} r",
        ("UPDATE", "DELETE"),
    ),
    "contact_medium": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "subscription": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "bill": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "usage_month": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "enterprise": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "key_person": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "agreement": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "product_holding": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "competitor_use": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "interaction": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "preference": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "tie": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "win_back_attempt": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "customer_verification": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "contact_bounce": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "level_appointment": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "sim": (
        "SELECT s.customer_id FROM subscription s JOIN {rows} r ON r.subscription_id = s.id",
        ("INSERT", "UPDATE", "DELETE"),
    ),
    "points_account": (
        "SELECT r.customer_id FROM {rows} r",
        ("UPDATE",),
    ),
    "points_balance": (
        "SELECT a.customer_id FROM points_account a JOIN {rows} r ON r.account_id = a.id",
        ("UPDATE",),
    ),
    "customer_proposal": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT",),
    ),
    "points_adjustment": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT",),
    ),
    "redemption": (
        "SELECT r.customer_id FROM {rows} r",
        ("INSERT",),
    ),
    "group_member": (
        "SELECT r.member_id FROM {rows} r UNION ALL SELECT r.customer_id FROM {rows} r",
        ("INSERT", "UPDATE"),
    ),
}
_FUNCTION = """
CREATE FUNCTION refuse_unless_live() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
    about text := replace(TG_ARGV[0], '{rows}', 'changed_rows');
BEGIN
    IF current_setting('guanxi.fence', true) = 'open'
        OR NOT EXISTS (SELECT FROM customer_ownership WHERE state <> 'live') THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        about := about || ' UNION ALL ' || replace(TG_ARGV[0], '{rows}', 'former_rows');
    END IF;
    EXECUTE 'SELECT o.customer_id, o.state, o.other, o.transfer_id FROM customer_ownership o '
        'WHERE o.state <> ''live'' AND o.customer_id IN (' || about || ') LIMIT 1' INTO found;
    IF found.customer_id IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'customer_ownership_' || found.state,
            MESSAGE = format('customer %s is %s: the record belongs to a transfer', found.customer_id, found.state),
            DETAIL = json_build_object(
                'customer', found.customer_id, 'other', found.other, 'transfer', found.transfer_id)::text;
    END IF;
    RETURN NULL;
END $$"""
_ROWS = {
    "INSERT": "NEW TABLE AS changed_rows",
    "UPDATE": "OLD TABLE AS former_rows NEW TABLE AS changed_rows",
    "DELETE": "OLD TABLE AS changed_rows",
}
_POSTINGS = "kind = 'accrual' AND debit_id = 1 AND credit_id >= 1000 OR kind = 'correction' AND debit_id >= 1000 AND credit_id = 1 OR kind = 'redemption' AND debit_id >= 1000 AND credit_id = 2 OR kind = 'reversal' AND debit_id = 2 AND credit_id >= 1000 OR kind = 'expiry' AND debit_id >= 1000 AND credit_id = 3 OR kind = 'adjustment' AND debit_id = 4 AND credit_id >= 1000 OR kind = 'adjustment' AND debit_id >= 1000 AND credit_id = 4 OR kind = 'transfer' AND debit_id >= 1000 AND credit_id >= 1000 OR kind = 'forfeiture' AND debit_id >= 1000 AND credit_id = 5"
_MOVES = " OR kind = 'move' AND debit_id >= 1000 AND credit_id = 6 OR kind = 'move' AND debit_id = 6 AND credit_id >= 1000"


def _postings(condition: str) -> None:
    op.execute("ALTER TABLE points_entry DROP CONSTRAINT points_entry_posting_check")
    op.execute(
        f"ALTER TABLE points_entry ADD CONSTRAINT points_entry_posting_check CHECK ({condition}) NOT VALID"
    )


def upgrade() -> None:
    """Bring the database forward."""
    # ### commands auto generated by Alembic - please adjust! ###
    op.create_table(
        "customer_ownership",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("other", sa.String(), nullable=True),
        sa.Column("transfer_id", sa.Uuid(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("came_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "state = 'live' OR other IS NOT NULL", name=op.f("customer_ownership_other_check")
        ),
        sa.CheckConstraint(
            "state IN ('live', 'frozen', 'left')", name=op.f("customer_ownership_state_check")
        ),
        sa.CheckConstraint("epoch > 0", name=op.f("customer_ownership_epoch_check")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("customer_ownership_pkey")),
    )
    op.create_index(
        "customer_ownership_not_live_idx",
        "customer_ownership",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("state <> 'live'"),
    )
    op.create_table(
        "ownership",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("epoch > 1", name=op.f("ownership_epoch_check")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("ownership_pkey")),
    )
    op.create_table(
        "ownership_change",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("former_owner", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("epoch > 1", name=op.f("ownership_change_epoch_check")),
        sa.CheckConstraint("owner <> former_owner", name=op.f("ownership_change_owners_check")),
        sa.PrimaryKeyConstraint("customer_id", "epoch", name=op.f("ownership_change_pkey")),
        comment="append-only: moves of ownership",
    )
    op.create_index(
        "ownership_change_transfer_id_key", "ownership_change", ["transfer_id"], unique=True
    )
    op.create_table(
        "transfer_case",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("chunks", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("memo", sa.String(), nullable=True),
        sa.Column("had_prepared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "word", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["service_request.id"], name=op.f("transfer_case_request_id_fkey")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("transfer_case_pkey")),
    )
    op.create_index("transfer_case_customer_id_idx", "transfer_case", ["customer_id"], unique=False)
    op.create_table(
        "transfer_chunk",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("transfer_chunk_number_check")),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["transfer_case.request_id"],
            name=op.f("transfer_chunk_request_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("transfer_chunk_pkey")),
    )
    # ### end Alembic commands ###
    # What is there met a narrower condition: it is not read again while the table is locked.
    _postings(_POSTINGS + _MOVES)
    op.execute("ALTER TABLE points_entry VALIDATE CONSTRAINT points_entry_posting_check")
    op.execute(_FUNCTION)
    for table, (about, acts) in _FENCED.items():
        for act in acts:
            op.execute(
                f"CREATE TRIGGER {table}_fence_{act.lower()} AFTER {act} ON {table} REFERENCING {_ROWS[act]} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_live('{about}')"
            )


def downgrade() -> None:
    """Take the database back; entries of customers who moved stay in the ledger."""
    for table, (_, acts) in _FENCED.items():
        for act in acts:
            op.execute(f"DROP TRIGGER {table}_fence_{act.lower()} ON {table}")
    op.execute("DROP FUNCTION refuse_unless_live()")
    _postings(_POSTINGS)
    # ### commands auto generated by Alembic - please adjust! ###
    op.drop_table("transfer_chunk")
    op.drop_index("transfer_case_customer_id_idx", table_name="transfer_case")
    op.drop_table("transfer_case")
    op.drop_index("ownership_change_transfer_id_key", table_name="ownership_change")
    op.drop_table("ownership_change")
    op.drop_table("ownership")
    op.drop_index(
        "customer_ownership_not_live_idx",
        table_name="customer_ownership",
        postgresql_where=sa.text("state <> 'live'"),
    )
    op.drop_table("customer_ownership")
    # ### end Alembic commands ###
