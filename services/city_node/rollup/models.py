"""Tables of the roll-up: whose days have changed, and what is to be counted."""

from sqlalchemy import Column, Date, Table, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base

rollup_mark = Table(
    "rollup_mark",
    Base.metadata,
    Column("source", Text, nullable=False),
    Column("day", Date, nullable=False),
)
"""Days of which rows of a table came, changed or went: written by triggers, and therefore without any index."""


class RollupDue(Base):
    """A dataset that is to be counted for a period: because it is not over yet, or its rows have changed since."""

    __tablename__ = "rollup_due"

    period: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(primary_key=True)
