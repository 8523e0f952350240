"""Customers of a level by what they are charged."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_index(
        "customer_by_level_charge",
        "customer",
        ["library", "level", "monthly_charge_fen", "id"],
        unique=False,
    )


def downgrade() -> None:
    """Take the change back."""
    op.drop_index("customer_by_level_charge", table_name="customer")
