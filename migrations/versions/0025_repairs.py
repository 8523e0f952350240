"""Repairs and loan handsets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_EVENT = """
CREATE FUNCTION publish_repair_completed_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.repair.completed.v1', r.recorded_at, '/repairs/' || r.request_id, (SELECT q.unit_code FROM service_request q WHERE q.id = r.request_id), jsonb_build_object('customer_id', r.customer_id, 'visited', r.visited, 'result', r.result, 'home_fen', r.home_fen, 'business_day', r.business_day)
    FROM added r WHERE true;
    RETURN NULL;
END $$"""
_TRIGGER = """
CREATE TRIGGER publish_repair_completed_v1 AFTER INSERT ON repair_record REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION publish_repair_completed_v1()"""


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "loan_handset",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("imei", sa.String(), nullable=False),
        sa.Column("make", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'in_stock'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('in_stock', 'lent', 'damaged', 'lost', 'withdrawn')",
            name=op.f("loan_handset_state_check"),
        ),
        sa.CheckConstraint("version > 0", name=op.f("loan_handset_version_check")),
        sa.ForeignKeyConstraint(
            ["unit_code"], ["organisation_unit.code"], name=op.f("loan_handset_unit_code_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("loan_handset_pkey")),
        sa.UniqueConstraint("imei", name=op.f("loan_handset_imei_key")),
    )
    op.create_index(
        "loan_handset_available_idx",
        "loan_handset",
        ["unit_code", "imei"],
        unique=False,
        postgresql_where=sa.text("state = 'in_stock'"),
    )
    op.create_index(
        "loan_handset_unit_code_idx", "loan_handset", ["unit_code", "state"], unique=False
    )
    op.create_table(
        "handset_loan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handset_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("deposit_fen", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("lent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lent_by", sa.String(), nullable=False),
        sa.Column("ending", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=True),
        sa.Column("kept_fen", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.CheckConstraint(
            "ending <> 'returned' OR kept_fen = 0", name=op.f("handset_loan_whole_check")
        ),
        sa.CheckConstraint(
            "ending IN ('returned', 'damaged', 'lost')", name=op.f("handset_loan_ending_check")
        ),
        sa.CheckConstraint("deposit_fen >= 0", name=op.f("handset_loan_deposit_check")),
        sa.CheckConstraint(
            "ending IS NULL OR refunded_fen >= 0 AND kept_fen >= 0 AND refunded_fen + kept_fen = deposit_fen",
            name=op.f("handset_loan_balance_check"),
        ),
        sa.CheckConstraint(
            "num_nulls(ending, ended_at, ended_by, refunded_fen, kept_fen) IN (0, 5)",
            name=op.f("handset_loan_ended_check"),
        ),
        sa.ForeignKeyConstraint(
            ["handset_id"], ["loan_handset.id"], name=op.f("handset_loan_handset_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["service_request.id"], name=op.f("handset_loan_request_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("handset_loan_pkey")),
    )
    op.create_index(
        "handset_loan_handset_id_idx", "handset_loan", ["handset_id", "lent_at"], unique=False
    )
    op.create_index(
        "handset_loan_out_key",
        "handset_loan",
        ["handset_id"],
        unique=True,
        postgresql_where=sa.text("ending IS NULL"),
    )
    op.create_index(
        "handset_loan_request_id_idx", "handset_loan", ["request_id", "lent_at"], unique=False
    )
    op.create_index(
        "handset_loan_request_key",
        "handset_loan",
        ["request_id"],
        unique=True,
        postgresql_where=sa.text("ending IS NULL"),
    )
    op.create_table(
        "repair_estimate",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("labour_fen", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("customer_fen", sa.BigInteger(), nullable=False),
        sa.Column("home_fen", sa.BigInteger(), nullable=False),
        sa.Column("estimated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("estimated_by", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.CheckConstraint(
            "decision IN ('agreed', 'declined')", name=op.f("repair_estimate_decision_check")
        ),
        sa.CheckConstraint(
            "customer_fen + home_fen = total_fen", name=op.f("repair_estimate_shared_check")
        ),
        sa.CheckConstraint(
            "labour_fen >= 0 AND total_fen >= labour_fen", name=op.f("repair_estimate_cost_check")
        ),
        sa.CheckConstraint(
            "num_nulls(decision, decided_at, decided_by) IN (0, 3)",
            name=op.f("repair_estimate_decided_check"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["service_request.id"], name=op.f("repair_estimate_request_id_fkey")
        ),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("repair_estimate_pkey")),
    )
    op.create_table(
        "repair_satisfaction",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "level IN ('diamond', 'gold', 'silver', 'standard')",
            name=op.f("repair_satisfaction_level_check"),
        ),
        sa.CheckConstraint("score BETWEEN 1 AND 5", name=op.f("repair_satisfaction_score_check")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["service_request.id"], name=op.f("repair_satisfaction_request_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["unit_code"],
            ["organisation_unit.code"],
            name=op.f("repair_satisfaction_unit_code_fkey"),
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("repair_satisfaction_pkey")),
    )
    op.create_index(
        "repair_satisfaction_unit_code_idx",
        "repair_satisfaction",
        ["unit_code", "answered_at"],
        unique=False,
    )
    op.create_table(
        "repair_ticket",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("make", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("imei_masked", sa.String(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("purchased_on", sa.Date(), nullable=True),
        sa.Column("level", sa.String(), nullable=True),
        sa.Column("in_warranty", sa.Boolean(), nullable=True),
        sa.Column("imei_matches", sa.Boolean(), nullable=True),
        sa.Column("home_share_permille", sa.BigInteger(), nullable=True),
        sa.Column("cap_fen", sa.BigInteger(), nullable=True),
        sa.Column("deposit_fen", sa.BigInteger(), nullable=True),
        sa.Column("loan_days", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.String(), nullable=True),
        sa.Column(
            "parts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("labour_fen", sa.BigInteger(), nullable=True),
        sa.Column("total_fen", sa.BigInteger(), nullable=True),
        sa.Column("repaired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("repaired_by", sa.String(), nullable=True),
        sa.Column("replacement", sa.String(), nullable=True),
        sa.Column("replacement_masked", sa.String(), nullable=True),
        sa.Column("replacement_sealed", sa.String(), nullable=True),
        sa.Column("goodwill_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("customer_fen", sa.BigInteger(), nullable=True),
        sa.Column("home_fen", sa.BigInteger(), nullable=True),
        sa.Column("visited_fen", sa.BigInteger(), nullable=True),
        sa.Column("days", sa.BigInteger(), nullable=True),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("returned_by", sa.String(), nullable=True),
        sa.Column("promised_fen", sa.BigInteger(), nullable=True),
        sa.Column("business_day", sa.Date(), nullable=True),
        sa.Column("told", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "level IN ('diamond', 'gold', 'silver', 'standard')",
            name=op.f("repair_ticket_level_check"),
        ),
        sa.CheckConstraint(
            "result IN ('fixed', 'not_repairable', 'replaced')",
            name=op.f("repair_ticket_result_check"),
        ),
        sa.CheckConstraint(
            "customer_fen + home_fen + visited_fen = total_fen",
            name=op.f("repair_ticket_shared_check"),
        ),
        sa.CheckConstraint(
            "customer_fen >= 0 AND home_fen >= 0 AND visited_fen >= 0",
            name=op.f("repair_ticket_parts_check"),
        ),
        sa.CheckConstraint("goodwill_fen >= 0", name=op.f("repair_ticket_goodwill_check")),
        sa.CheckConstraint(
            "num_nulls(customer_fen, home_fen, visited_fen, days, returned_at, returned_by) IN (0, 6)",
            name=op.f("repair_ticket_returned_check"),
        ),
        sa.CheckConstraint(
            "num_nulls(level, in_warranty, imei_matches, home_share_permille, cap_fen, deposit_fen, loan_days) IN (0, 7)",
            name=op.f("repair_ticket_terms_check"),
        ),
        sa.CheckConstraint(
            "num_nulls(result, parts, labour_fen, total_fen, repaired_at, repaired_by) IN (0, 6)",
            name=op.f("repair_ticket_repaired_check"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["service_request.id"], name=op.f("repair_ticket_request_id_fkey")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("repair_ticket_pkey")),
    )
    op.create_index(
        "repair_ticket_differs_idx",
        "repair_ticket",
        ["request_id"],
        unique=False,
        postgresql_where=sa.text("promised_fen <> home_fen"),
    )
    op.create_table(
        "repair_promise",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("make", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("imei", sa.String(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("purchased_on", sa.Date(), nullable=True),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("in_warranty", sa.Boolean(), nullable=False),
        sa.Column("imei_matches", sa.Boolean(), nullable=False),
        sa.Column("home_share_permille", sa.BigInteger(), nullable=False),
        sa.Column("cap_fen", sa.BigInteger(), nullable=False),
        sa.Column("deposit_fen", sa.BigInteger(), nullable=False),
        sa.Column("loan_days", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'held'"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'held') = (settled_at IS NULL)", name=op.f("repair_promise_settled_check")
        ),
        sa.CheckConstraint(
            "level IN ('diamond', 'gold', 'silver', 'standard')",
            name=op.f("repair_promise_level_check"),
        ),
        sa.CheckConstraint(
            "state IN ('held', 'used', 'released')", name=op.f("repair_promise_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("repair_promise_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["service_request.id"], name=op.f("repair_promise_request_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("repair_promise_subscription_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("repair_promise_pkey")),
    )
    op.create_index(
        "repair_promise_customer_id_idx", "repair_promise", ["customer_id"], unique=False
    )
    op.create_index(
        "repair_promise_imei_held_key",
        "repair_promise",
        ["imei"],
        unique=True,
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "repair_promise_subscription_id_idx", "repair_promise", ["subscription_id"], unique=False
    )
    op.create_table(
        "repair_record",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("visited", sa.String(), nullable=False),
        sa.Column("handset", sa.String(), nullable=False),
        sa.Column("imei", sa.String(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("in_warranty", sa.Boolean(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("replacement", sa.String(), nullable=True),
        sa.Column("replacement_imei", sa.String(), nullable=True),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("labour_fen", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("customer_fen", sa.BigInteger(), nullable=False),
        sa.Column("home_fen", sa.BigInteger(), nullable=False),
        sa.Column("visited_fen", sa.BigInteger(), nullable=False),
        sa.Column("claimed_fen", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "level IN ('diamond', 'gold', 'silver', 'standard')",
            name=op.f("repair_record_level_check"),
        ),
        sa.CheckConstraint(
            "result IN ('fixed', 'not_repairable', 'replaced')",
            name=op.f("repair_record_result_check"),
        ),
        sa.CheckConstraint(
            "customer_fen + home_fen + visited_fen = total_fen",
            name=op.f("repair_record_shared_check"),
        ),
        sa.CheckConstraint(
            "customer_fen >= 0 AND home_fen >= 0 AND visited_fen >= 0",
            name=op.f("repair_record_parts_check"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("repair_record_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["service_request.id"], name=op.f("repair_record_request_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("repair_record_subscription_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("repair_record_pkey")),
    )
    op.create_index(
        "repair_record_business_day_idx", "repair_record", ["business_day"], unique=False
    )
    op.create_index(
        "repair_record_customer_id_idx",
        "repair_record",
        ["customer_id", "recorded_at"],
        unique=False,
    )
    op.create_index(
        "repair_record_differs_idx",
        "repair_record",
        ["request_id"],
        unique=False,
        postgresql_where=sa.text("claimed_fen <> home_fen"),
    )
    op.create_index(
        "repair_record_subscription_id_idx", "repair_record", ["subscription_id"], unique=False
    )
    op.execute(_EVENT)
    op.execute(_TRIGGER)


def downgrade() -> None:
    """Take the database back."""
    op.execute("DROP TRIGGER publish_repair_completed_v1 ON repair_record")
    op.execute("DROP FUNCTION publish_repair_completed_v1()")
    op.drop_index("repair_record_subscription_id_idx", table_name="repair_record")
    op.drop_index(
        "repair_record_differs_idx",
        table_name="repair_record",
        postgresql_where=sa.text("claimed_fen <> home_fen"),
    )
    op.drop_index("repair_record_customer_id_idx", table_name="repair_record")
    op.drop_index("repair_record_business_day_idx", table_name="repair_record")
    op.drop_table("repair_record")
    op.drop_index("repair_promise_subscription_id_idx", table_name="repair_promise")
    op.drop_index(
        "repair_promise_imei_held_key",
        table_name="repair_promise",
        postgresql_where=sa.text("state = 'held'"),
    )
    op.drop_index("repair_promise_customer_id_idx", table_name="repair_promise")
    op.drop_table("repair_promise")
    op.drop_index(
        "repair_ticket_differs_idx",
        table_name="repair_ticket",
        postgresql_where=sa.text("promised_fen <> home_fen"),
    )
    op.drop_table("repair_ticket")
    op.drop_index("repair_satisfaction_unit_code_idx", table_name="repair_satisfaction")
    op.drop_table("repair_satisfaction")
    op.drop_table("repair_estimate")
    op.drop_index(
        "handset_loan_request_key",
        table_name="handset_loan",
        postgresql_where=sa.text("ending IS NULL"),
    )
    op.drop_index("handset_loan_request_id_idx", table_name="handset_loan")
    op.drop_index(
        "handset_loan_out_key",
        table_name="handset_loan",
        postgresql_where=sa.text("ending IS NULL"),
    )
    op.drop_index("handset_loan_handset_id_idx", table_name="handset_loan")
    op.drop_table("handset_loan")
    op.drop_index("loan_handset_unit_code_idx", table_name="loan_handset")
    op.drop_index(
        "loan_handset_available_idx",
        table_name="loan_handset",
        postgresql_where=sa.text("state = 'in_stock'"),
    )
    op.drop_table("loan_handset")
