"""Losses of ordered cards."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "card_loss",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("cards", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by", sa.String(), nullable=False),
        sa.Column("proposer_id", sa.Uuid(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'written_off', 'rejected')", name=op.f("card_loss_state_check")
        ),
        sa.CheckConstraint(
            "cardinality(cards) BETWEEN 1 AND 10000", name=op.f("card_loss_cards_check")
        ),
        sa.CheckConstraint(
            "num_nulls(decided_at, decided_by) = CASE state WHEN 'proposed' THEN 2 ELSE 0 END",
            name=op.f("card_loss_decided_check"),
        ),
        sa.CheckConstraint(
            "(state = 'written_off') = (lost IS NOT NULL)", name=op.f("card_loss_lost_check")
        ),
        sa.CheckConstraint(
            "(state = 'rejected') = (decision IS NOT NULL)", name=op.f("card_loss_decision_check")
        ),
        sa.CheckConstraint("version > 0", name=op.f("card_loss_version_check")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["card_order.id"], name=op.f("card_loss_order_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("card_loss_pkey")),
    )
    op.create_index("card_loss_order_id_idx", "card_loss", ["order_id"], unique=False)
    op.create_index("card_loss_proposed_at_idx", "card_loss", ["proposed_at", "id"], unique=False)
    op.create_index(
        "card_loss_proposed_key",
        "card_loss",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("state = 'proposed'"),
    )
    _let_cards_be(
        "'in_stock', 'reserved', 'written', 'issued', 'spoiled', 'in_transit', 'lost'",
        "'in_stock', 'in_transit', 'lost'",
    )


def downgrade() -> None:
    """Take the database back."""
    # The release before knows no lost cards: they are on their way again, as the supplier has it.
    op.execute("UPDATE sim_card_stock SET state = 'in_transit' WHERE state = 'lost'")
    _let_cards_be(
        "'in_stock', 'reserved', 'written', 'issued', 'spoiled', 'in_transit'",
        "'in_stock', 'in_transit'",
    )
    op.drop_table("card_loss")


def _let_cards_be(states: str, without_request: str) -> None:
    for name, condition in (
        ("state", f"state IN ({states})"),
        (
            "request",
            (
                f"CASE WHEN state IN ({without_request}) THEN request_id IS NULL "
                "WHEN state = 'spoiled' THEN true ELSE request_id IS NOT NULL END"
            ),
        ),
    ):
        constraint = op.f(f"sim_card_stock_{name}_check")
        op.drop_constraint(constraint, "sim_card_stock", type_="check")
        op.create_check_constraint(constraint, "sim_card_stock", condition)
