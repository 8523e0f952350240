"""The table of agreements."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class AgreementKind(StrEnum):
    """What is agreed."""

    FRAMEWORK = "framework"
    SERVICE = "service"
    HANDSET = "handset"
    COMMITMENT = "commitment"
    OTHER = "other"


class Agreement(Base):
    """One agreement with a customer."""

    __tablename__ = "agreement"
    __table_args__ = (
        one_of("kind", AgreementKind, "kind"),
        CheckConstraint("number <> ''", name="number"),
        CheckConstraint("expires_on > starts_on", name="term"),
        CheckConstraint("NOT auto_renews OR renewal_months > 0", name="renewal"),
        Index("agreement_number_key", "customer_id", "number", unique=True),
        Index(
            "agreement_expires_on_idx",
            "expires_on",
            postgresql_where=text("expires_on IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    number: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str]
    signed_on: Mapped[date | None]
    starts_on: Mapped[date]
    expires_on: Mapped[date | None]
    """First day on which it is no longer in force."""
    auto_renews: Mapped[bool] = mapped_column(server_default=text("false"))
    renewal_months: Mapped[int | None]
    notice_days: Mapped[int | None]
    amount_fen: Mapped[int | None]
    """What it is worth over its term."""
    note: Mapped[str | None]
