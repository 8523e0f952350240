"""The table of preferences."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class PreferenceTopic(StrEnum):
    """What a preference is about."""

    MARKETING = "marketing"
    BILL_MEDIUM = "bill_medium"
    LANGUAGE = "language"
    INTEREST = "interest"
    GIFT = "gift"
    SERVICE = "service"
    OTHER = "other"


class Preference(Base):
    """One value of one topic."""

    __tablename__ = "preference"
    __table_args__ = (
        one_of("topic", PreferenceTopic, "topic"),
        CheckConstraint("value <> ''", name="value"),
        Index("preference_value_key", "customer_id", "topic", "value", unique=True),
        Index(
            "preference_single_key",
            "customer_id",
            "topic",
            unique=True,
            postgresql_where=text("topic IN ('marketing', 'bill_medium', 'language')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    topic: Mapped[str]
    value: Mapped[str]
