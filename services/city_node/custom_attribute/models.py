"""The table of declarations."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Double, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base, one_of


class AttributeType(StrEnum):
    """What a value is in JSON; a date is a text such as ``2026-11-01``, and ``enum`` one of the declared choices."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    ENUM = "enum"


class AppliesTo(StrEnum):
    """Which customers have it."""

    INDIVIDUAL = "individual"
    GROUP = "group"
    BOTH = "both"


class CustomAttribute(Base):
    """One declared attribute."""

    __tablename__ = "custom_attribute"
    __table_args__ = (
        one_of("type", AttributeType, "type"),
        one_of("applies_to", AppliesTo, "applies_to"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    applies_to: Mapped[str]
    label_zh: Mapped[str]
    label_en: Mapped[str]
    choices: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    minimum: Mapped[float | None] = mapped_column(Double)
    maximum: Mapped[float | None] = mapped_column(Double)
    max_length: Mapped[int | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
