"""What an answer is put together from: aggregates where they are of what is current, and slices everywhere else.

A *part* is a slice, or an aggregate that stands for the slices of its cities. Each city that has told something is in
exactly one part. The *fingerprint* of an answer adds up over parts: it is the same whether a province is one part or
twenty, so that putting slices together changes no entity tag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import driver_connection
from shared.organisation.division import HQ_CODE, cities_of, province_of
from shared.statistics.question import Question, RegionLevel
from shared.statistics.repository import StoredSlice, chosen_slices


@dataclass(frozen=True, slots=True)
class Part:
    """A slice or an aggregate.

    Attributes:
        id: of the slice or aggregate.
        dataset, period: what it is of.
        region: division code of the city, the province, or HQ for the nation.
        cities: codes of the cities in order, between spaces.
        slice_ids: of the slices; of an aggregate only if they were asked for.
        as_of: when the oldest slice was computed.
        fingerprint: the sum of the slices' own.
        row_count: the same of their cells; an aggregate has at most as many.
    """

    id: int
    dataset: str
    period: str
    region: str
    cities: str
    slice_ids: Sequence[int]
    as_of: datetime
    fingerprint: int
    row_count: int

    @classmethod
    def of(cls, slice_: StoredSlice) -> "Part":
        """Return a slice as a part."""
        return cls(
            slice_.id,
            slice_.dataset,
            slice_.period,
            slice_.node,
            slice_.node,
            (slice_.id,),
            slice_.computed_at,
            slice_.fingerprint,
            slice_.row_count,
        )


Place = tuple[str, str, str]
"""A dataset, a period and a province."""


async def read_parts(session: AsyncSession, question: Question, *, in_full: bool) -> list[Part]:
    """Return the parts of a question's answer, by dataset, period and region.

    Args:
        session: where to look.
        question: what is asked.
        in_full: whether aggregates come with the ids of their slices.
    """
    periods = [str(each) for each in question.consulted]
    cities: dict[str, list[str]] = {}
    for city in cities_of(question.region.code):
        cities.setdefault(province_of(city.code).code, []).append(city.code)
    pairs = {(dataset, period) for dataset in question.measures for period in periods}
    level = RegionLevel.CITY if question.as_known_at is not None else question.region_level
    parts: list[Part] = []
    if level is RegionLevel.NATION:
        parts += await _aggregates(session, question.measures, periods, [HQ_CODE], in_full=in_full)
        pairs -= {(each.dataset, each.period) for each in parts}
    left = {(*pair, province) for pair in pairs for province in cities}
    if left and level is not RegionLevel.CITY:
        wanted = _spanned(left, question.measures)
        found = await _aggregates(session, *wanted, in_full=in_full)
        usable = [each for each in found if (each.dataset, each.period, each.region) in left]
        parts += usable
        left -= {(each.dataset, each.period, each.region) for each in usable}
    if left:
        measures, periods, provinces = _spanned(left, question.measures)
        slices = await chosen_slices(
            session,
            measures,
            periods,
            [city for province in provinces for city in cities[province]],
            as_known_at=question.as_known_at,
        )
        parts += [
            Part.of(each)
            for each in slices
            if (each.dataset, each.period, province_of(each.node).code) in left
        ]
    return sorted(parts, key=lambda each: (each.dataset, each.period, each.region))


def _spanned(
    places: set[Place], measures: Mapping[str, Sequence[str]]
) -> tuple[Mapping[str, Sequence[str]], list[str], list[str]]:
    datasets, periods, provinces = (set(each) for each in zip(*places, strict=True))
    wanted = {code: needed for code, needed in measures.items() if code in datasets}
    return wanted, sorted(periods), sorted(provinces)


async def _aggregates(
    session: AsyncSession,
    measures: Mapping[str, Sequence[str]],
    periods: Sequence[str],
    regions: Sequence[str],
    *,
    in_full: bool,
) -> list[Part]:
    connection = await driver_connection(session)
    found: list[Part] = []
    for dataset, codes in measures.items():
        rows = await connection.fetch(_AGGREGATES, dataset, periods, regions, codes, in_full)
        found += [Part(*row) for row in rows]
    return found


_AGGREGATES = f"""
SELECT a.id, a.dataset, a.period, a.region, a.cities, CASE WHEN $5 THEN a.slice_ids ELSE '{{}}' END,
       a.as_of, a.fingerprint, a.row_count
FROM statistics_aggregate a
WHERE a.dataset = $1::text AND a.period = ANY($2::text[]) AND a.region = ANY($3::text[]) AND a.replaced_at IS NULL
  AND a.measures @> $4::text[]
  AND NOT EXISTS (SELECT FROM statistics_change c WHERE c.dataset = a.dataset AND c.period = a.period
                  AND (c.region = a.region OR a.region = '{HQ_CODE}'))
"""  # noqa: S608 - constants alone
