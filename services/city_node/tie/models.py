"""The table of ties."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class TieKind(StrEnum):
    """What the other one is to the customer."""

    SPOUSE = "spouse"
    PARENT = "parent"
    CHILD = "child"
    SIBLING = "sibling"
    RELATIVE = "relative"
    FRIEND = "friend"
    COLLEAGUE = "colleague"
    CLASSMATE = "classmate"
    OTHER = "other"


class Tie(Base):
    """A tie of an individual customer to another customer or to a named person."""

    __tablename__ = "tie"
    __table_args__ = (
        one_of("kind", TieKind, "kind"),
        CheckConstraint("num_nonnulls(related_id, person_name) = 1", name="to_one"),
        CheckConstraint("related_id <> customer_id", name="to_another"),
        CheckConstraint("num_nonnulls(phone, phone_cipher) < 2", name="phone"),
        Index(
            "tie_phone_index_idx", "phone_index", postgresql_where=text("phone_index IS NOT NULL")
        ),
        Index("tie_related_key", "customer_id", "kind", "related_id", unique=True),
        Index("tie_related_id_idx", "related_id", postgresql_where=text("related_id IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str]
    related_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    person_name: Mapped[str | None]
    phone: Mapped[str | None]
    phone_masked: Mapped[str | None]
    note: Mapped[str | None]
    phone_cipher: Mapped[bytes | None]
    phone_index: Mapped[bytes | None]
