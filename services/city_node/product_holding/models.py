"""The table of products that customers hold."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class ProductCategory(StrEnum):
    """What kind of product it is."""

    VOICE = "voice"
    DATA = "data"
    BROADBAND = "broadband"
    DEDICATED_LINE = "dedicated_line"
    MESSAGING = "messaging"
    INTERNET_OF_THINGS = "internet_of_things"
    CLOUD = "cloud"
    ICT = "ict"
    OTHER = "other"


class ProductHolding(Base):
    """One product that a customer holds or held."""

    __tablename__ = "product_holding"
    __table_args__ = (
        one_of("category", ProductCategory, "category"),
        CheckConstraint("product_code <> ''", name="product_code"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("until > since", name="term"),
        Index(
            "product_holding_present_key",
            "customer_id",
            "product_code",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
        Index("product_holding_customer_id_idx", "customer_id"),
        Index("product_holding_product_code_idx", "product_code"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    product_code: Mapped[str]
    name: Mapped[str]
    category: Mapped[str]
    quantity: Mapped[int]
    monthly_fee_fen: Mapped[int | None]
    since: Mapped[date]
    until: Mapped[date | None]
    """First day on which it is no longer held."""
