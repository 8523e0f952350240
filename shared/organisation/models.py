"""The table of organisation units."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class UnitKind(StrEnum):
    """What a unit is."""

    HQ = "hq"
    PROVINCE = "province"
    CITY = "city"
    TEAM = "team"
    HALL = "hall"


class OrganisationUnit(Base):
    """A place in the tree: HQ, a province, a city, or a team or hall (营业厅) of this node."""

    __tablename__ = "organisation_unit"
    __table_args__ = (
        CheckConstraint("kind IN ('hq', 'province', 'city', 'team', 'hall')", name="kind"),
        CheckConstraint("path LIKE '%' || code || '/'", name="path"),
        CheckConstraint("(parent_code IS NULL) = (kind = 'hq')", name="parent"),
        # text_pattern_ops: a scope is a prefix, which an index in a language's order does not find.
        Index(
            "organisation_unit_path",
            "path",
            unique=True,
            postgresql_ops={"path": "text_pattern_ops"},
        ),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    parent_code: Mapped[str | None] = mapped_column(
        ForeignKey("organisation_unit.code"), index=True
    )
    path: Mapped[str]
    """The codes from HQ down to the unit itself, each with a slash after it: ``000000/440000/440300/``."""
    kind: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
