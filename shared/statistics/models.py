"""Tables of the statistics: a compact star of facts, and the register of slices that they belong to."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class StatisticsSlice(Base):
    """One revision of a slice. Its facts never change; that it is current may."""

    __tablename__ = "statistics_slice"
    __table_args__ = (
        UniqueConstraint("dataset", "node", "period", "revision"),
        CheckConstraint("revision > 0", name="revision"),
        Index(
            "statistics_slice_current",
            "dataset",
            "period",
            "node",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index("statistics_slice_period_idx", "period", "node"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    dataset: Mapped[str]
    node: Mapped[str]
    """Division code of the city whose figures these are."""
    period: Mapped[str]
    revision: Mapped[int]
    hash: Mapped[str]
    row_count: Mapped[int]
    control_totals: Mapped[dict[str, Any]] = mapped_column(JSONB)
    computed_at: Mapped[datetime]
    received_at: Mapped[datetime]
    """When this node came to know it."""
    reason: Mapped[str | None]
    superseded_at: Mapped[datetime | None]
    """When this node came to know better; empty for the current revision. What never was in force has it as well."""
    in_force_at: Mapped[datetime | None]
    """When it came into force here, for the last time; empty if it has not: it came late, or waits for approval."""


class StatisticsCell(Base):
    """A combination of dimension values, once for all slices."""

    __tablename__ = "statistics_cell"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    dims: Mapped[dict[str, Any]] = mapped_column(JSONB, unique=True)


class StatisticsMeasure(Base):
    """A measure's code, once for all facts. Not a copy of the catalogue: a newer city's measures are here too."""

    __tablename__ = "statistics_measure"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)


class StatisticsFact(Base):
    """One value of one measure in one cell of one slice."""

    __tablename__ = "statistics_fact"

    slice_id: Mapped[int] = mapped_column(ForeignKey(StatisticsSlice.id), primary_key=True)
    measure_id: Mapped[int] = mapped_column(
        SmallInteger, ForeignKey(StatisticsMeasure.id), primary_key=True
    )
    cell_id: Mapped[int] = mapped_column(ForeignKey(StatisticsCell.id), primary_key=True)
    value: Mapped[int]
