"""Figures that are estimated from sketches: for each row of an answer, those of its parts are merged.

Distinct people are merged from whatever the parts are, slices or aggregates; distributions from the slices, of which
nothing is lost, so that an answer is the same to the last digit before and after slices are put together. Images are
read as a stream, row by row of the answer.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import driver_connection
from shared.statistics.aggregation import MEDIAN, Aggregation, Quantile
from shared.statistics.catalogue import Catalogue, Dimension, Indicator, Windowed
from shared.statistics.parts import Part
from shared.statistics.period import Period
from shared.statistics.question import Question
from shared.statistics.sketches import DISTINCT_ERROR, RANK_ERROR, Distinct, Weights, merged

IMAGES_AT_ONCE = 100
_FIRST_FILTER = 9

Estimate = dict[str, Any]
"""A row: bucket, region, the dimensions as ``dim_…``, and the figures that are known, by indicator or measure."""


@dataclass(frozen=True, slots=True)
class Sketched:
    """What of an indicator is estimated: itself, or of a ratio its sides."""

    code: str
    measure: Indicator
    percent: int | None
    """Of a quantile."""

    @property
    def kind(self) -> type[Distinct | Weights]:
        """How its images are merged."""
        return Distinct if self.percent is None else Weights

    @property
    def error(self) -> dict[str, float]:
        """How far it may be off, relatively or in its rank, and in what share of all cases it is no farther off."""
        if self.percent is None:
            return {"relative": DISTINCT_ERROR, "confidence": 0.95}
        return {"rank": RANK_ERROR, "confidence": 1.0}


def sketched(indicator: Indicator, catalogue: Catalogue) -> list[Sketched]:
    """Return what of an indicator is estimated; nothing of most."""
    how = indicator.aggregation
    if isinstance(how, Quantile):
        return [Sketched(indicator.code, catalogue.indicators[how.of], how.percent)]
    if isinstance(how, Windowed):
        return sketched(how.of, catalogue)
    measures = (catalogue.indicators[code] for code in indicator.measures)
    return [
        Sketched(each.code, each, None if each.aggregation is Aggregation.DISTINCT else MEDIAN)
        for each in measures
        if each.is_sketch
    ]


def sketched_for(question: Question, catalogue: Catalogue) -> dict[str, Sketched]:
    """Return what is estimated for a question, by its code."""
    return {x.code: x for each in question.indicators for x in sketched(each, catalogue)}


def reads_slices(question: Question, catalogue: Catalogue) -> bool:
    """Tell whether distributions are merged for a question, which aggregates do not have."""
    return any(each.kind is Weights for each in sketched_for(question, catalogue).values())


async def estimates(
    session: AsyncSession,
    question: Question,
    wanted: Sequence[Sketched],
    parts: Sequence[Part],
    *,
    closing: Mapping[str, str],
    ids: Mapping[str, int],
) -> list[Estimate]:
    """Return the estimates of an answer's rows, of those that there is a sketch of.

    Args:
        session: where to ask.
        question: what.
        wanted: what is estimated.
        parts: what the answer is made of; with the ids of their slices if there are distributions.
        closing: by dataset, the period whose snapshots stand for the range.
        ids: of the measures that are stored.
    """
    names = ["bucket", "region", *(f"dim_{each.code}" for each in question.dimensions)]
    found: dict[tuple[Any, ...], Estimate] = {}
    for kind in (Distinct, Weights):
        told: dict[int, list[Sketched]] = defaultdict(list)
        for each in wanted:
            if each.kind is kind and each.measure.code in ids:
                told[ids[each.measure.code]].append(each)
        if told:
            rows = _rows(question, parts, closing, of_slices=kind is Weights)
            async for key, measure, merging in _merged(session, question, rows, told, kind):
                row = found.setdefault(key, dict(zip(names, key, strict=True)))
                row.update(_estimated(merging, told[measure]))
    return list(found.values())


def _rows(
    question: Question, parts: Sequence[Part], closing: Mapping[str, str], *, of_slices: bool
) -> list[tuple[int, str, str, bool, int]]:
    """Return of what the images are read, and to which row of the answer they belong."""
    return [
        (
            id_,
            question.bucket(part.period),
            question.region_of(part.region).code,
            question.tells_periods_apart or part.period == closing[part.dataset],
            Period.parse(part.period).volume,
        )
        for part in parts
        for id_ in (part.slice_ids if of_slices else (part.id,))
    ]


async def _merged(
    session: AsyncSession,
    question: Question,
    rows: Sequence[tuple[int, str, str, bool, int]],
    told: Mapping[int, Sequence[Sketched]],
    kind: type[Distinct | Weights],
) -> AsyncIterator[tuple[tuple[Any, ...], int, Distinct | Weights]]:
    """Give for each row of the answer and each measure what its images come to."""
    at_end = Aggregation.DISTRIBUTION_AT_END
    connection = await driver_connection(session)
    images = connection.cursor(
        _statement(question),
        *([list(column) for column in zip(*rows, strict=True)] or [[]] * 5),
        list(told),
        sorted({row[-1] for row in rows}),
        [id_ for id_, (first, *_) in told.items() if first.measure.aggregation is at_end],
        *(list(values) for _, values in question.filters),
        prefetch=IMAGES_AT_ONCE,
    )
    async for (*key, measure), each in merged(images, kind):
        yield tuple(key), measure, each


def _estimated(merged: Distinct | Weights, told: Sequence[Sketched]) -> dict[str, int]:
    if isinstance(merged, Weights):
        return merged.quantiles({each.code: each.percent or MEDIAN for each in told})
    return {each.code: merged.estimate() for each in told}


def beside(
    counted: str, keys: Sequence[str], numbers: Sequence[str], codes: Sequence[str], parameter: int
) -> str:
    """Return a statement that puts the estimates of a row beside what was counted for it.

    Args:
        counted: the statement that counts.
        keys: columns that tell its rows apart.
        numbers: its other columns.
        codes: what is estimated.
        parameter: number of the parameter with the estimates, a JSON array of :data:`Estimate`.
    """
    types = [*(f"{key} text" for key in keys), *(f"{code} numeric" for code in codes)]
    nothing = [f"NULL::numeric AS {code}" for code in codes]
    return f"""
                SELECT {", ".join([*keys, *(f"max({code}) AS {code}" for code in (*numbers, *codes))])} FROM (
                    SELECT {", ".join(["t.*", *nothing])} FROM ({counted}) t
                    UNION ALL
                    SELECT {", ".join([*keys, *(["NULL"] * len(numbers)), *codes])}
                    FROM jsonb_to_recordset(${parameter}::jsonb) AS e ({", ".join(types)})
                ) b GROUP BY {", ".join(keys)}"""  # noqa: S608 - codes of the catalogue alone


def dimension_value(dimension: Dimension, told: str) -> str:
    """Return a dimension's value in SQL, where ``told`` is that of the cells that it is or follows from."""
    if dimension.of is None:
        return told
    parents = literal(orjson.dumps(dict(dimension.parents)).decode())
    return f"({parents}::jsonb->>{told})"


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def _statement(question: Question) -> str:
    def value(dimension: Dimension) -> str:
        return dimension_value(dimension, f"(k.dims->>'{dimension.of or dimension.code}')")

    filters = [
        f" AND {value(dimension)} = ANY(${at}::text[])"
        for at, (dimension, _) in enumerate(question.filters, start=_FIRST_FILTER)
    ]
    keys = ["c.bucket", "c.region", *map(value, question.dimensions), "f.measure_id"]
    return f"""
        SELECT {", ".join(keys)}, f.image
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::smallint[])
            AS c (part_id, bucket, region, closing, volume)
        JOIN statistics_sketch f ON f.part_id = c.part_id AND f.volume = c.volume
         AND f.measure_id = ANY($6::smallint[]) AND f.volume = ANY($7::smallint[])
        JOIN statistics_cell k ON k.id = f.cell_id
        WHERE (c.closing OR f.measure_id <> ALL($8::smallint[])){"".join(filters)}
        ORDER BY {", ".join(str(at) for at in range(1, len(keys) + 1))}
    """  # noqa: S608 - built from codes of the catalogue alone
