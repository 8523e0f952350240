"""The reference: what the program's catalogue says, as tables that SQL can join; and what the gate withholds."""

from datetime import date, datetime

from sqlalchemy import ARRAY, Integer, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.kernel.database import Base


class AnalysisEdition(Base):
    """Which edition of the reference is loaded: one row."""

    __tablename__ = "analysis_edition"

    edition: Mapped[str] = mapped_column(primary_key=True)
    loaded_at: Mapped[datetime]


class AnalysisDataset(Base):
    """A dataset, and what it is counted by."""

    __tablename__ = "analysis_dataset"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    dimensions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    periods: Mapped[list[str]] = mapped_column(ARRAY(Text))


class AnalysisDimension(Base):
    """A dimension."""

    __tablename__ = "analysis_dimension"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    version: Mapped[str]
    is_open: Mapped[bool]
    """Whether the cities say what it distinguishes, so that it has no members here."""
    finer: Mapped[str | None]
    """The dimension whose members it puts together."""


class AnalysisMember(Base):
    """One value of a dimension."""

    __tablename__ = "analysis_member"

    dimension: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    position: Mapped[int]
    """Where it is shown among the others, from 1."""
    parent_dimension: Mapped[str | None]
    parent: Mapped[str | None]
    """The member of a coarser dimension that it belongs to."""


class AnalysisIndicator(Base):
    """An indicator: a measure, which facts are of, or what is derived from measures."""

    __tablename__ = "analysis_indicator"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    dataset: Mapped[str]
    family: Mapped[str]
    family_zh: Mapped[str]
    family_en: Mapped[str]
    unit: Mapped[str]
    unit_zh: Mapped[str]
    unit_en: Mapped[str]
    aggregation: Mapped[str]
    is_measure: Mapped[bool]
    measures: Mapped[list[str]] = mapped_column(ARRAY(Text))
    numerator: Mapped[str | None]
    denominator: Mapped[str | None]
    scale: Mapped[int | None]
    formula_zh: Mapped[str]
    formula_en: Mapped[str]
    owner_zh: Mapped[str]
    owner_en: Mapped[str]
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    defined_by: Mapped[str | None]
    """The version of HQ's definitions; nothing if it ships with the program."""


class AnalysisRule(Base):
    """The rule by which the gate withholds: one row; none where nothing is withheld."""

    __tablename__ = "analysis_rule"

    rule: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class AnalysisDecided(Base):
    """A slice of which it has been decided by the rule what is withheld; others have no facts while there is a rule."""

    __tablename__ = "analysis_decided"

    slice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class AnalysisWithheld(Base):
    """A cell of a decided slice that has too few people of one count, or would give away one that has."""

    __tablename__ = "analysis_withheld"

    slice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cell_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    count_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    volume: Mapped[int] = mapped_column(SmallInteger)


class AnalysisAbout(Base):
    """Whom a measure is about: by which count its cells are withheld."""

    __tablename__ = "analysis_about"

    measure_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    count_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    always: Mapped[bool]
    """Whether it is withheld everywhere: a greatest or least value is one customer's."""
