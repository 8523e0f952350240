"""The table of what customers have from other operators."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.city_node.product_holding.models import ProductCategory
from shared.kernel.database import Base, one_of


class CompetitorUse(Base):
    """One service that a customer has from another operator."""

    __tablename__ = "competitor_use"
    __table_args__ = (
        one_of("category", ProductCategory, "category"),
        CheckConstraint("operator <> ''", name="operator"),
        CheckConstraint("share_percent BETWEEN 0 AND 100", name="share_percent"),
        CheckConstraint("until > since", name="term"),
        Index("competitor_use_customer_id_idx", "customer_id"),
        Index("competitor_use_operator_idx", "operator", "expires_on"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    operator: Mapped[str]
    category: Mapped[str]
    product: Mapped[str | None]
    share_percent: Mapped[int | None]
    monthly_fee_fen: Mapped[int | None]
    since: Mapped[date | None]
    until: Mapped[date | None]
    expires_on: Mapped[date | None]
    note: Mapped[str | None]
