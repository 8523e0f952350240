"""Repairs in clearing, deposits in tills, requests listed by kind."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_CLEARED = ("clearing_entry", "clearing_difference")


def _check(table: str, name: str, condition: str, *, replace: bool = True) -> None:
    if replace:
        op.drop_constraint(op.f(f"{table}_{name}_check"), table, type_="check")
    op.create_check_constraint(op.f(f"{table}_{name}_check"), table, condition)


def upgrade() -> None:
    """Bring the database forward."""
    for table in _CLEARED:
        _check(table, "kind", "kind IN ('payment', 'reversal', 'repair')")
    op.alter_column("till_entry", "payment_id", existing_type=sa.UUID(), nullable=True)
    _check(
        "till_entry",
        "kind",
        "kind IN ('taken', 'given_back', 'reversed', 'deposit', 'deposit_back')",
    )
    _check("till_entry", "sign", "(kind IN ('taken', 'deposit')) = (amount_fen > 0)")
    _check(
        "till_entry",
        "payment",
        "(kind IN ('deposit', 'deposit_back')) = (payment_id IS NULL)",
        replace=False,
    )
    op.create_index("service_request_by_kind", "service_request", ["kind", "id"], unique=False)


def downgrade() -> None:
    """Take the database back, without what the release before does not know."""
    op.drop_index("service_request_by_kind", table_name="service_request")
    op.execute("DELETE FROM till_entry WHERE payment_id IS NULL")
    op.drop_constraint(op.f("till_entry_payment_check"), "till_entry", type_="check")
    _check("till_entry", "sign", "(kind = 'taken') = (amount_fen > 0)")
    _check("till_entry", "kind", "kind IN ('taken', 'given_back', 'reversed')")
    op.alter_column("till_entry", "payment_id", existing_type=sa.UUID(), nullable=False)
    for table in _CLEARED:
        op.execute(f"DELETE FROM {table} WHERE kind = 'repair'")  # noqa: S608 - a constant
        _check(table, "kind", "kind IN ('payment', 'reversal')")
