"""The one SQL statement that answers a question, aggregated as the catalogue says and written as JSON by PostgreSQL.

Within a bucket (a period, or the whole range) and a region: sums add every chosen slice, snapshots add those of the
closing period alone, extrema compare, and ratios and differences are of what has been put together. Shares and ranks
look at the other rows of the period, change, growth and moving sums at the same row of earlier periods, which are
consulted for that and not told; these are empty unless all these periods are made of the same cities. What is estimated
from sketches (:mod:`~shared.statistics.estimates`) comes in as a value and is one more column of what was put together.

What is withheld (:mod:`~shared.statistics.hiding`) is empty, and so is all that would be computed from it.

Only codes of the catalogue become part of the statement's text; everything that was asked goes in as a value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.language import Language, Text
from shared.kernel.tier import Tier
from shared.organisation.division import Division
from shared.statistics.aggregation import Aggregation, Difference, Quantile, Ratio
from shared.statistics.catalogue import (
    Catalogue,
    Change,
    Dimension,
    Earlier,
    Growth,
    Indicator,
    MovingSum,
    Rank,
    Share,
    Windowed,
)
from shared.statistics.estimates import (
    Sketched,
    beside,
    dimension_value,
    estimates,
    literal,
    sketched_for,
)
from shared.statistics.facts import WHOLE
from shared.statistics.hiding import Hiding, Withheld
from shared.statistics.parts import Part
from shared.statistics.period import YEAR
from shared.statistics.question import Question
from shared.statistics.repository import fetch_json, measure_ids

DECIMALS = 6
"""Places to which ratios are rounded."""
NATION = Text("Nation", "全国")
_FIRST_FILTER = 15
_NEVER_STORED = 0
"""An id that no measure has: identities begin at 1."""
_OF_PART = """f.volume = c.volume AND f.volume = ANY($14::smallint[])
                     AND f.measure_id = ANY($6::smallint[])"""
# Each part is looked up by itself, in its own partition: OFFSET keeps PostgreSQL from reading whole partitions instead,
# as it would because it reckons with a look into every one of them.
_MARGINS = f"""CROSS JOIN LATERAL (
                    SELECT f.measure_id, f.member_id, f.total, f.least, f.greatest FROM statistics_margin f
                    WHERE f.part_id = c.part_id AND {_OF_PART} /* whole */ OFFSET 0) f"""  # noqa: S608 - constants alone
_CELLS = f"""CROSS JOIN LATERAL (
                    SELECT f.measure_id, f.cell_id, f.value::numeric AS total, f.value AS least, f.value AS greatest
                    FROM statistics_fact f WHERE f.slice_id = c.part_id AND {_OF_PART}
                    UNION ALL SELECT f.measure_id, f.cell_id, f.total, f.least, f.greatest
                    FROM statistics_aggregate_fact f WHERE f.part_id = c.part_id AND {_OF_PART}) f"""  # noqa: S608 - as above
"""Of slices, and of aggregates."""


@dataclass(frozen=True, slots=True)
class _Statement:
    question: Question
    catalogue: Catalogue
    ids: Mapping[str, int]
    hiding: Hiding | None = None

    @property
    def measures(self) -> list[Indicator]:
        codes = dict.fromkeys(code for each in self.question.indicators for code in each.measures)
        found = (self.catalogue.indicators[code] for code in codes)
        return [each for each in found if not each.is_sketch]

    @property
    def estimated(self) -> dict[str, Sketched]:
        """What is estimated from sketches, by the column that it comes in."""
        return sketched_for(self.question, self.catalogue)

    def aggregated(self, measure: Indicator) -> str:
        condition = f"f.measure_id = {self.ids.get(measure.code, _NEVER_STORED)}"
        if measure.aggregation is Aggregation.SNAPSHOT:
            condition += " AND c.closing"
        extrema = {Aggregation.MAX: "max(f.greatest)", Aggregation.MIN: "min(f.least)"}
        function = (
            extrema.get(measure.aggregation, "sum(f.total)")
            if isinstance(measure.aggregation, Aggregation)
            else "sum(f.total)"
        )
        return f"{function} FILTER (WHERE {condition}) AS {measure.code}"

    @property
    def compares_cities(self) -> bool:
        """Whether periods are compared, and so the cities that they are made of."""
        return any(
            isinstance(each.aggregation, Growth | MovingSum) for each in self.question.indicators
        )

    @property
    def told_apart(self) -> list[str]:
        """The dimensions of cells that rows or filters go by."""
        asked = (*self.question.dimensions, *(each for each, _ in self.question.filters))
        return list(dict.fromkeys(each.of or each.code for each in asked))

    def stored(self) -> str:
        """Return what holds the values of the parts ``c``: their margins, or for several dimensions their cells."""
        match self.told_apart:
            case []:
                return _MARGINS.replace("/* whole */", f"AND f.member_id = {WHOLE}")
            case [one]:
                member = f"k.id = f.member_id AND k.dimension = '{one}'"
                return f"{_MARGINS} JOIN statistics_member k ON {member}"
        return f"{_CELLS} JOIN statistics_cell k ON k.id = f.cell_id"

    def dimension_value(self, dimension: Dimension) -> str:
        """Return a dimension's value of ``k``; that of a coarser one follows from the finer's."""
        finer = dimension.of or dimension.code
        told = "k.value" if len(self.told_apart) == 1 else f"(k.dims->>'{finer}')"
        return dimension_value(dimension, told)

    @property
    def plain(self) -> list[Indicator]:
        """What is put together from measures: asked for, or what windowed indicators are made of."""
        asked = {each.code: each for each in self.question.indicators}
        for each in self.question.indicators:
            how = each.aggregation
            if isinstance(how, Windowed):
                asked.pop(each.code)
                asked[how.of.code] = how.of
        return list(asked.values())

    def value(self, indicator: Indicator) -> str:
        """Return a plain indicator's value in a row of measures put together, ``g``, and what is known of it, ``s``."""
        how = indicator.aggregation
        if isinstance(how, Difference):
            minuend, subtrahend = (self.measured(code) for code in (how.minuend, how.subtrahend))
            return f"({minuend} - {subtrahend})"
        if isinstance(how, Ratio):
            numerator, denominator = (
                self.measured(code) for code in (how.numerator, how.denominator)
            )
            return f"{numerator} * {how.scale}::numeric / nullif({denominator}, 0)"
        if isinstance(how, Quantile):
            return f"g.{indicator.code}"
        return self.measured(indicator.code)

    def valued(self, indicator: Indicator) -> list[str]:
        """Return the columns of a plain indicator: its value, and whether that is withheld."""
        value = self.value(indicator)
        if self.hiding is None:
            return [f"{value} AS v_{indicator.code}"]
        hides = self.hiding.hides(indicator)
        return [
            f"CASE WHEN NOT ({hides}) THEN {value} END AS v_{indicator.code}",
            f"({hides}) AS w_{indicator.code}",
        ]

    def measured(self, code: str) -> str:
        measure = self.catalogue.indicators[code]
        if isinstance(measure.aggregation, Aggregation) and not measure.aggregation.divides:
            return f"g.{code}"
        # A slice without a value says zero; without a slice nothing is said.
        closes = measure.aggregation is Aggregation.SNAPSHOT
        return f"CASE WHEN s.{measure.dataset}_{'closes' if closes else 'speaks'} THEN coalesce(g.{code}, 0) END"

    def told(self, indicator: Indicator) -> tuple[str, str]:
        """Return an indicator's value in a row ``v`` of plain values, and whether it is withheld."""
        how = indicator.aggregation
        if not isinstance(how, Windowed):
            value = f"v.v_{indicator.code}"
            return (_rounded(value) if isinstance(how, Ratio) else value), f"v.w_{indicator.code}"
        value, cities = f"v.v_{how.of.code}", f"v.{indicator.dataset}_cities"
        hidden = f"v.w_{how.of.code}"
        key = ", ".join(["v.region", *(f"v.dim_{each.code}" for each in self.question.dimensions)])
        match how:
            case Share():
                whole = f"sum({value}) OVER (PARTITION BY v.bucket)"
                share = _rounded(f"100 * {value}::numeric / nullif({whole}, 0)")
                hidden = f"bool_or({hidden}) OVER (PARTITION BY v.bucket)"
                return (
                    f"CASE WHEN NOT {hidden} THEN {share} END" if self.hiding else share
                ), hidden
            case Rank():
                place = f"rank() OVER (PARTITION BY v.bucket ORDER BY {value} DESC NULLS LAST)"
                return f"CASE WHEN {value} IS NOT NULL THEN {place} END", hidden
            case MovingSum(periods=count):
                frame = f"OVER (PARTITION BY {key} ORDER BY v.ordinal RANGE BETWEEN {count - 1} PRECEDING AND CURRENT ROW)"
                whole = f"count({value}) {frame} = {count} AND min({cities}) {frame} = max({cities}) {frame}"
                return (
                    f"CASE WHEN {whole} THEN sum({value}) {frame} END",
                    f"bool_or({hidden}) {frame}",
                )
            case Change(over=over) | Growth(over=over):
                order, back = ("ordinal", 1) if over is Earlier.PERIOD else ("calendar", YEAR)
                frame = f"OVER (PARTITION BY {key} ORDER BY v.{order} RANGE BETWEEN {back} PRECEDING AND {back} PRECEDING)"
                earlier = f"max({value}) {frame}"
                compared = f"({value} - {earlier})::numeric"
                if isinstance(how, Growth):
                    compared = f"100 * {compared} / nullif({earlier}, 0)"
                compared = (
                    f"CASE WHEN max({cities}) {frame} = {cities} THEN {_rounded(compared)} END"
                )
                return compared, f"({hidden} OR coalesce(bool_or({hidden}) {frame}, false))"

    def source(self) -> tuple[str, str]:
        """Return what plain values are computed from, and which part of it has the dimensions."""
        names = [f"dim_{each.code}" for each in self.question.dimensions]
        beside = "g.bucket = s.bucket AND g.region = s.region"
        if not names:
            return "g", f"said s LEFT JOIN gathered g ON {beside}"
        if self.question.consulted == self.question.periods:
            return "g", f"said s JOIN gathered g ON {beside}"
        # What is looked back to may have been where nothing is now, and the reverse: a row for all that occurs.
        occurring = f"SELECT DISTINCT region, {', '.join(names)} FROM gathered"  # noqa: S608 - as below
        same = " AND ".join(
            [beside, *(f"g.{name} IS NOT DISTINCT FROM k.{name}" for name in names)]
        )
        return (
            "k",
            f"said s JOIN ({occurring}) k ON k.region = s.region LEFT JOIN gathered g ON {same}",
        )

    def text(self) -> str:
        """Return the statement."""
        dimensions, datasets = self.question.dimensions, self.question.measures
        filters = [
            f"{self.dimension_value(dimension)} = ANY(${at}::text[])"
            for at, (dimension, _) in enumerate(self.question.filters, start=_FIRST_FILTER)
        ]
        keys = ["c.bucket", "c.region", *(self.dimension_value(each) for each in dimensions)]
        columns = [
            "c.bucket",
            "c.region",
            *(f"{self.dimension_value(each)} AS dim_{each.code}" for each in dimensions),
            *(self.aggregated(each) for each in self.measures),
        ]
        known = [
            f"bool_or(dataset = '{each}') AS {each}_speaks, "
            f"bool_or(dataset = '{each}' AND closing) AS {each}_closes, "
            f"string_agg(cities, ' ' ORDER BY cities) FILTER (WHERE dataset = '{each}') AS {each}_cities"
            for each in datasets
        ]
        names = [f"dim_{each.code}" for each in dimensions]
        row, source = self.source()
        values = [
            *(f"{row}.{name}" for name in names),
            *(f"s.{each}_cities" for each in datasets),
            *(column for each in self.plain for column in self.valued(each)),
        ]
        pairs = [
            "'period', f.bucket",
            "'region', json_build_object('code', f.region, 'name', r.name)",
            *(f"'{each.code}', f.dim_{each.code}" for each in dimensions),
            *(self.hiding.marks if self.hiding else ()),
            "'values', json_build_object("
            + ", ".join(f"'{each.code}', f.t_{each.code}" for each in self.question.indicators)
            + ")",
        ]
        parameter = _FIRST_FILTER + len(self.question.filters) + bool(self.estimated)
        numbers = [each.code for each in self.measures]
        computed = [*numbers, *self.estimated]
        hidden = self.hiding.step(names, computed, parameter) if self.hiding else ""
        order = ["f.bucket", "f.region", *(_order(each) for each in dimensions)]
        counted = f"""
                SELECT {", ".join(columns)}
                FROM chosen c {self.stored()}
                {"WHERE " + " AND ".join(filters) if filters else ""}
                GROUP BY {", ".join(keys)}"""  # noqa: S608 - as below
        if self.estimated:
            row_key = ["bucket", "region", *names]
            counted = beside(counted, row_key, numbers, list(self.estimated), parameter - 1)
        told = []
        for each in self.question.indicators:
            value, is_hidden = self.told(each)
            told.append(f"{value} AS t_{each.code}")
            if self.hiding:
                told.append(f"{is_hidden} AS h_{each.code}")
        return f"""
            WITH chosen AS (
                SELECT * FROM unnest({_list(1, "bigint")}, {_list(2, "text")}, {_list(3, "text")}, {_list(4, "text")},
                                     {_list(5, "boolean")}, {_list(9, "text")}, {_list(10, "int")}, {_list(11, "int")},
                                     {_list(13, "smallint")})
                    AS c (part_id, dataset, bucket, region, closing, cities, ordinal, calendar, volume)
            ), said AS (
                SELECT bucket, region, max(ordinal) AS ordinal, max(calendar) AS calendar, {", ".join(known)}
                FROM chosen GROUP BY bucket, region
            ), {"counted" if self.hiding else "gathered"} AS ({counted}
            ), {hidden} valued AS (
                SELECT {", ".join(["s.bucket", "s.region", "s.ordinal", "s.calendar", *values])} FROM {source}
            ), figure AS (
                SELECT v.bucket, v.region, {", ".join([*(f"v.{name}" for name in names), *told])} FROM valued v
            )
            SELECT coalesce(json_agg(json_build_object({", ".join(pairs)}) ORDER BY {", ".join(order)}), '[]')::text
            FROM figure f JOIN unnest($7::text[], $8::text[]) AS r (code, name) ON r.code = f.region
            WHERE f.bucket = ANY($12::text[])
        """  # noqa: S608 - built from codes of the catalogue alone


async def rows(
    session: AsyncSession,
    question: Question,
    catalogue: Catalogue,
    parts: Sequence[Part],
    *,
    closing: Mapping[str, str],
    language: Language,
    withheld: Withheld | None = None,
) -> bytes:
    """Return the rows of the answer as a JSON array.

    Args:
        session: where to ask.
        question: what.
        catalogue: how each indicator is aggregated.
        parts: what the answer is made of.
        closing: by dataset, the period whose snapshots stand for the range.
        language: of the regions' names.
        withheld: what is withheld; ``None`` if nothing ever is here.
    """
    needed = [code for codes in question.measures.values() for code in codes]
    ids = await measure_ids(session, needed)
    regions = {code: question.region_of(code) for code in {each.region for each in parts}}
    periods = {str(each): each for each in question.consulted}
    buckets = {period: question.bucket(period) for period in periods}
    volumes = {period: each.volume for period, each in periods.items()}
    ordinals = {period: each.ordinal for period, each in periods.items()}
    places = {period: each.place_in_calendar for period, each in periods.items()}
    closes = (
        question.tells_periods_apart or each.period == closing[each.dataset] for each in parts
    )
    named = {each.code: region_name(each).speak(language) for each in regions.values()}
    hiding = Hiding(question, catalogue, withheld) if withheld else None
    statement = _Statement(question, catalogue, ids, hiding)
    wanted = list(statement.estimated.values())
    told = await estimates(session, question, wanted, parts, closing=closing, ids=ids)
    return await fetch_json(
        session,
        statement.text(),
        _listed(each.id for each in parts),
        _listed(each.dataset for each in parts),
        _listed(buckets[each.period] for each in parts),
        _listed(regions[each.region].code for each in parts),
        _listed(closes),
        list(ids.values()),
        list(named),
        list(named.values()),
        _listed(each.cities for each in parts) if statement.compares_cities else None,
        _listed(ordinals[each.period] for each in parts),
        _listed(places[each.period] for each in parts),
        [buckets[str(each)] for each in question.periods],
        _listed(volumes[each.period] for each in parts),
        sorted(set(volumes.values())),
        *(list(values) for _, values in question.filters),
        *([orjson.dumps(told).decode()] if wanted else ()),
        *(hiding.values if hiding else ()),
    )


def _listed(values: Iterable[object]) -> str:
    """Return thousands of values as one text: the driver takes several times as long over an array of them."""
    return ",".join(map(str, values))


def _list(number: int, type_: str) -> str:
    """Return a parameter that was so listed; in SQL."""
    return f"string_to_array(${number}::text, ',')::{type_}[]"


def region_name(region: Division) -> Text:
    """Return what an answer calls a region."""
    # Its division stands for HQ, where nobody lives; its figures are the nation's.
    return NATION if region.tier is Tier.HQ else Text(region.name_en, region.name_zh)


def _rounded(value: str) -> str:
    return f"trim_scale(round({value}, {DECIMALS}))"


def _order(dimension: Dimension) -> str:
    column = f"f.dim_{dimension.code}"
    if dimension.is_open:
        return column
    return f"array_position(ARRAY[{', '.join(map(literal, dimension.values))}], {column})"
