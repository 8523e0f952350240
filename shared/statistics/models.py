"""Tables of the statistics: a compact star of facts, and the register of slices that they belong to."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
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
        Index(
            "statistics_slice_history",
            "superseded_at",
            postgresql_where=text("superseded_at IS NOT NULL AND rolled_off_at IS NULL"),
        ),
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
    rolled_off_at: Mapped[datetime | None]
    """When its facts were dropped by the rule of :mod:`shared.statistics.retention`; questions pass it over then."""


class StatisticsCell(Base):
    """A combination of dimension values, once for all slices."""

    __tablename__ = "statistics_cell"
    # By which every slice finds its cells: to compare documents on the way down a tree takes several times as long.
    __table_args__ = (Index("statistics_cell_dims_hash", "dims", postgresql_using="hash"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    dims: Mapped[dict[str, Any]] = mapped_column(JSONB, unique=True)


class StatisticsMember(Base):
    """One value of one dimension, once for all margins."""

    __tablename__ = "statistics_member"
    __table_args__ = (UniqueConstraint("dimension", "value"),)

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    dimension: Mapped[str]
    value: Mapped[str]


class StatisticsMeasure(Base):
    """A measure's code, once for all facts. Not a copy of the catalogue: a newer city's measures are here too."""

    __tablename__ = "statistics_measure"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)


class StatisticsVolume(Base):
    """A partition that is there: of a calendar month's facts, those by month or those by day."""

    __tablename__ = "statistics_volume"

    volume: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)


class StatisticsFact(Base):
    """One value of one measure in one cell of one slice: 24 bytes, and as many for PostgreSQL itself.

    There are hundreds of millions, and the repository alone writes them: no foreign key is checked for each.
    """

    __tablename__ = "statistics_fact"
    __table_args__ = (
        PrimaryKeyConstraint("slice_id", "measure_id", "volume", "cell_id"),
        {"postgresql_partition_by": "LIST (volume)"},
    )

    slice_id: Mapped[int]
    value: Mapped[int]
    cell_id: Mapped[int] = mapped_column(Integer)
    measure_id: Mapped[int] = mapped_column(SmallInteger)
    volume: Mapped[int] = mapped_column(SmallInteger)
    """Which partition: :attr:`Period.volume <shared.statistics.period.Period.volume>`."""


class StatisticsAggregate(Base):
    """The slices of a province's or the nation's cities of one dataset and period, put together.

    It is never wrong: what it was made of is in it, and :class:`statistics_change` says whether that is still all.
    """

    __tablename__ = "statistics_aggregate"
    __table_args__ = (
        Index(
            "statistics_aggregate_current",
            "dataset",
            "period",
            "region",
            unique=True,
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Of the sequence of the slices' ids: a part of an answer has one of its own, whichever it is."""
    dataset: Mapped[str]
    period: Mapped[str]
    region: Mapped[str]
    """Division code of the province, or HQ's for the nation."""
    slice_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    cities: Mapped[str]
    """Codes of the cities in order, between spaces."""
    measures: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """What all of these cities count."""
    fingerprint: Mapped[Decimal] = mapped_column(Numeric)
    """By which an answer made of these slices is recognised; see :mod:`shared.statistics.parts`."""
    as_of: Mapped[datetime]
    """When the oldest of the slices was computed."""
    replaced_at: Mapped[datetime | None]
    """When another took its place; it stays a while for questions that are being answered."""
    row_count: Mapped[int]
    """The cells of its slices, added up: it has at most as many."""


class StatisticsAggregateFact(Base):
    """One measure in one cell of one aggregate."""

    __tablename__ = "statistics_aggregate_fact"
    __table_args__ = (
        PrimaryKeyConstraint("part_id", "measure_id", "volume", "cell_id"),
        {"postgresql_partition_by": "LIST (volume)"},
    )

    part_id: Mapped[int]
    least: Mapped[int]
    greatest: Mapped[int]
    cell_id: Mapped[int] = mapped_column(Integer)
    measure_id: Mapped[int] = mapped_column(SmallInteger)
    volume: Mapped[int] = mapped_column(SmallInteger)
    total: Mapped[Decimal] = mapped_column(Numeric)


class StatisticsMargin(Base):
    """One measure of one slice or aggregate, over all cells or over those with one value of one dimension.

    How a measure is put together, the catalogue says when a question is asked; here are all three ways.
    """

    __tablename__ = "statistics_margin"
    __table_args__ = (
        PrimaryKeyConstraint("part_id", "measure_id", "volume", "member_id"),
        {"postgresql_partition_by": "LIST (volume)"},
    )

    part_id: Mapped[int]
    least: Mapped[int]
    greatest: Mapped[int]
    member_id: Mapped[int] = mapped_column(Integer)
    """Of the dimension's value; 0 for all cells."""
    measure_id: Mapped[int] = mapped_column(SmallInteger)
    volume: Mapped[int] = mapped_column(SmallInteger)
    total: Mapped[Decimal] = mapped_column(Numeric)


class StatisticsSketch(Base):
    """The sketch of one measure in one cell of one slice; of distinct people also that of an aggregate.

    What it is of is exact: aggregates have no distributions, which would have to be made coarser to be kept as one.
    """

    __tablename__ = "statistics_sketch"
    __table_args__ = (
        PrimaryKeyConstraint("part_id", "measure_id", "volume", "cell_id"),
        {"postgresql_partition_by": "LIST (volume)"},
    )

    part_id: Mapped[int]
    cell_id: Mapped[int] = mapped_column(Integer)
    measure_id: Mapped[int] = mapped_column(SmallInteger)
    volume: Mapped[int] = mapped_column(SmallInteger)
    family: Mapped[int] = mapped_column(SmallInteger)
    """By which number DataSketches tells it from others: 7 for distinct people, 15 for a distribution."""
    image: Mapped[bytes] = mapped_column(LargeBinary)


statistics_change = Table(
    "statistics_change",
    Base.metadata,
    Column("dataset", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("region", Text, nullable=False),
)
"""Provinces of which another slice has become current since they were put together.

Written in the transaction that makes it so, without any index: whoever stores a slice waits for nobody.
"""


class StatisticsGeneration(Base):
    """How often what :class:`statistics_change` had noted was taken from it; one row.

    Within a generation changes are only added. So the generation and the number of changes name one state of what is
    current, and tell whether it is still the same (:mod:`shared.statistics.recognition`).
    """

    __tablename__ = "statistics_generation"
    __table_args__ = (CheckConstraint("single", name="single"),)

    single: Mapped[bool] = mapped_column(primary_key=True)
    number: Mapped[int]
