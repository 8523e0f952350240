"""The one SQL statement that answers a question, aggregated as the catalogue says and written as JSON by PostgreSQL.

Within a bucket (a period, or the whole range) and a region: sums add every chosen slice, snapshots add those of the
closing period alone, extrema compare, and ratios divide what has been put together. Only codes of the catalogue become
part of the statement's text; everything that was asked goes in as a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.language import Language, Text
from shared.kernel.tier import Tier
from shared.organisation.division import Division
from shared.statistics.catalogue import Aggregation, Catalogue, Dimension, Indicator, Ratio
from shared.statistics.question import Question
from shared.statistics.repository import StoredSlice, fetch_json, measure_ids

DECIMALS = 6
"""Places to which ratios are rounded."""
NATION = Text("Nation", "全国")
_NEVER_STORED = 0
"""An id that no measure has: identities begin at 1."""


@dataclass(frozen=True, slots=True)
class _Statement:
    question: Question
    catalogue: Catalogue
    ids: Mapping[str, int]

    @property
    def measures(self) -> list[Indicator]:
        codes = dict.fromkeys(code for each in self.question.indicators for code in each.measures)
        return [self.catalogue.indicators[code] for code in codes]

    def aggregated(self, measure: Indicator) -> str:
        condition = f"f.measure_id = {self.ids.get(measure.code, _NEVER_STORED)}"
        if measure.aggregation is Aggregation.SNAPSHOT:
            condition += " AND c.closing"
        extrema = {Aggregation.MAX: "max", Aggregation.MIN: "min"}
        function = (
            extrema.get(measure.aggregation, "sum")
            if isinstance(measure.aggregation, Aggregation)
            else "sum"
        )
        return f"{function}(f.value) FILTER (WHERE {condition}) AS {measure.code}"

    def value(self, indicator: Indicator) -> str:
        how = indicator.aggregation
        if isinstance(how, Ratio):
            numerator, denominator = (
                self.value(self.catalogue.indicators[code])
                for code in (how.numerator, how.denominator)
            )
            return f"trim_scale(round({numerator} * {how.scale}::numeric / nullif({denominator}, 0), {DECIMALS}))"
        if not how.adds_up:
            return f"g.{indicator.code}"
        # A slice without a value says zero; without a slice nothing is said.
        present = f"s.{indicator.dataset}_{'closes' if how is Aggregation.SNAPSHOT else 'speaks'}"
        return f"CASE WHEN {present} THEN coalesce(g.{indicator.code}, 0) END"

    def text(self) -> str:
        dimensions = self.question.dimensions
        filters = [
            f"{_cell_value(dimension)} = ANY(${at}::text[])"
            for at, (dimension, _) in enumerate(self.question.filters, start=9)
        ]
        pairs = [
            "'period', s.bucket",
            "'region', json_build_object('code', s.region, 'name', r.name)",
            *(f"'{each.code}', g.dim_{each.code}" for each in dimensions),
            "'values', json_build_object("
            + ", ".join(f"'{each.code}', {self.value(each)}" for each in self.question.indicators)
            + ")",
        ]
        order = [
            "s.bucket",
            "s.region",
            *(_order(each) for each in dimensions),
        ]
        keys = ["c.bucket", "c.region", *(_cell_value(each) for each in dimensions)]
        columns = [
            "c.bucket",
            "c.region",
            *(f"{_cell_value(each)} AS dim_{each.code}" for each in dimensions),
            *(self.aggregated(each) for each in self.measures),
        ]
        datasets = self.question.measures
        return f"""
            WITH chosen AS (
                SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[])
                    AS c (slice_id, dataset, bucket, region, closing)
            ), said AS (
                SELECT bucket, region, {
            ", ".join(
                f"bool_or(dataset = '{each}') AS {each}_speaks, bool_or(dataset = '{each}' AND closing) AS {each}_closes"
                for each in datasets
            )
        }
                FROM chosen GROUP BY bucket, region
            ), gathered AS (
                SELECT {", ".join(columns)}
                FROM chosen c
                JOIN statistics_fact f ON f.slice_id = c.slice_id AND f.measure_id = ANY($6::smallint[])
                JOIN statistics_cell k ON k.id = f.cell_id
                {"WHERE " + " AND ".join(filters) if filters else ""}
                GROUP BY {", ".join(keys)}
            )
            SELECT coalesce(json_agg(json_build_object({", ".join(pairs)}) ORDER BY {
            ", ".join(order)
        }), '[]')::text
            FROM said s
            JOIN unnest($7::text[], $8::text[]) AS r (code, name) ON r.code = s.region
            {
            "JOIN" if dimensions else "LEFT JOIN"
        } gathered g ON g.bucket = s.bucket AND g.region = s.region
        """  # noqa: S608 - built from codes of the catalogue alone


async def rows(
    session: AsyncSession,
    question: Question,
    catalogue: Catalogue,
    slices: Sequence[StoredSlice],
    *,
    closing: Mapping[str, str],
    language: Language,
) -> bytes:
    """Return the rows of the answer as a JSON array.

    Args:
        session: where to ask.
        question: what.
        catalogue: how each indicator is aggregated.
        slices: what the answer is made of.
        closing: by dataset, the period whose snapshots stand for the range.
        language: of the regions' names.
    """
    needed = [code for codes in question.measures.values() for code in codes]
    ids = await measure_ids(session, needed)
    regions = {each.node: question.region_of(each.node) for each in slices}
    named = {each.code: _name(each).speak(language) for each in regions.values()}
    return await fetch_json(
        session,
        _Statement(question, catalogue, ids).text(),
        [each.id for each in slices],
        [each.dataset for each in slices],
        [question.bucket(each.period) for each in slices],
        [regions[each.node].code for each in slices],
        [question.by_period or each.period == closing[each.dataset] for each in slices],
        list(ids.values()),
        list(named),
        list(named.values()),
        *(list(values) for _, values in question.filters),
    )


def _name(region: Division) -> Text:
    # Its division stands for HQ, where nobody lives; its figures are the nation's.
    return NATION if region.tier is Tier.HQ else Text(region.name_en, region.name_zh)


def _cell_value(dimension: Dimension) -> str:
    """Return a dimension's value of the cell ``k``; that of a coarser one follows from the finer's."""
    if dimension.of is None:
        return f"(k.dims->>'{dimension.code}')"
    parents = _literal(orjson.dumps(dict(dimension.parents)).decode())
    return f"({parents}::jsonb->>(k.dims->>'{dimension.of}'))"


def _order(dimension: Dimension) -> str:
    column = f"g.dim_{dimension.code}"
    if dimension.is_open:
        return column
    return f"array_position(ARRAY[{', '.join(map(_literal, dimension.values))}], {column})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
