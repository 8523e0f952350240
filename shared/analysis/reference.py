"""The reference: from the catalogue in force to the tables that the star's views and the lake's files show.

It is loaded when a node starts and before each export, so that what HQ defines is there on the morning of its first
day. Loading what is loaded already is one look.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.analysis.models import (
    AnalysisDataset,
    AnalysisDimension,
    AnalysisEdition,
    AnalysisIndicator,
    AnalysisMember,
)
from shared.capability import NodeContext
from shared.kernel.database import Base
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Catalogue, Dimension, Indicator
from shared.statistics.definition import catalogue_in_force
from shared.statistics.vocabulary import FAMILY_NAMES, OWNERS, UNIT_NAMES

LOCK = 0x616E616C79736973
"""Key of the advisory lock under which it is loaded: ``analysis`` in ASCII."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Reference:
    """The rows of each table, as they follow from a catalogue."""

    catalogue: Catalogue

    @cached_property
    def tables(self) -> Mapping[type[Base], Sequence[Row]]:
        """What the tables are to hold."""
        catalogue = self.catalogue
        return {
            AnalysisDataset: [
                {
                    "code": each.code,
                    "name_zh": each.name.zh,
                    "name_en": each.name.en,
                    "dimensions": [x.code for x in catalogue.dimensions_of(each.code)],
                    "periods": sorted(kind.value for kind in each.periods),
                }
                for each in catalogue.dataset_list
            ],
            AnalysisDimension: [_dimension(each) for each in catalogue.dimension_list],
            AnalysisMember: [
                row for each in catalogue.dimension_list for row in _members(each, catalogue)
            ],
            AnalysisIndicator: [_indicator(each) for each in catalogue.indicator_list],
        }

    @cached_property
    def edition(self) -> str:
        """A digest that changes when, and only when, the rows do."""
        rows = [list(rows) for rows in self.tables.values()]
        return hashlib.sha256(orjson.dumps(rows)).hexdigest()


def _dimension(each: Dimension) -> Row:
    return {
        "code": each.code,
        "name_zh": each.name.zh,
        "name_en": each.name.en,
        "version": each.version,
        "is_open": each.is_open,
        "finer": each.of,
    }


def _members(each: Dimension, catalogue: Catalogue) -> list[Row]:
    coarser = next((x for x in catalogue.dimension_list if x.of == each.code), None)
    return [
        {
            "dimension": each.code,
            "code": code,
            "name_zh": name.zh,
            "name_en": name.en,
            "position": position,
            "parent_dimension": coarser.code if coarser else None,
            "parent": coarser.parents[code] if coarser else None,
        }
        for position, (code, name) in enumerate(each.values.items(), start=1)
    ]


def _indicator(each: Indicator) -> Row:
    ratio = each.aggregation if isinstance(each.aggregation, Ratio) else None
    family, unit, owner = FAMILY_NAMES[each.family], UNIT_NAMES[each.unit], OWNERS[each.family]
    return {
        "code": each.code,
        "name_zh": each.name.zh,
        "name_en": each.name.en,
        "dataset": each.dataset,
        "family": each.family.value,
        "family_zh": family.zh,
        "family_en": family.en,
        "unit": each.unit.value,
        "unit_zh": unit.zh,
        "unit_en": unit.en,
        "aggregation": each.aggregation_code,
        "is_measure": isinstance(each.aggregation, Aggregation),
        "measures": list(each.measures),
        "numerator": ratio and ratio.numerator,
        "denominator": ratio and ratio.denominator,
        "scale": ratio and ratio.scale,
        "formula_zh": each.formula.zh,
        "formula_en": each.formula.en,
        "owner_zh": owner.zh,
        "owner_en": owner.en,
        "valid_from": each.valid_from,
        "valid_until": each.valid_until,
        "defined_by": each.defined_by or None,
    }


async def load(session: AsyncSession, reference: Reference, *, now: datetime) -> bool:
    """Replace what is loaded by ``reference``; tells whether that was needed. Readers see the one or the other."""
    if await _is_loaded(session, reference):
        return False
    await session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    if await _is_loaded(session, reference):  # by another worker, meanwhile
        return False
    for table, rows in reference.tables.items():
        await session.execute(delete(table))
        await session.execute(insert(table), list(rows))
    await session.execute(delete(AnalysisEdition))
    session.add(AnalysisEdition(edition=reference.edition, loaded_at=now))
    return True


async def _is_loaded(session: AsyncSession, reference: Reference) -> bool:
    return await session.scalar(select(AnalysisEdition.edition)) == reference.edition


async def current_reference(context: NodeContext) -> Reference:
    """Load what is in force today if something else is loaded, and return it."""
    now = context.clock.now()
    async with context.database.transaction() as session:
        catalogue = await catalogue_in_force(session, context.settings.code, now)
        reference = Reference(catalogue)
        await load(session, reference, now=now)
    return reference


async def ensure_reference(context: NodeContext) -> None:
    """Make sure that the node has the reference of the program that starts."""
    await current_reference(context)
