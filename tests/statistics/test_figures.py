"""Any question about any slices is answered as a plain count in Python would."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import orjson
import pytest

from shared.kernel.database import Database
from shared.kernel.language import Text
from shared.kernel.tier import Tier
from shared.organisation.division import cities_of
from shared.statistics import repository
from shared.statistics.aggregate import put_together
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Catalogue, Dataset, Dimension, Indicator
from shared.statistics.period import Period, PeriodKind
from shared.statistics.privacy import Terms
from shared.statistics.question import Question, Words, read_question
from shared.statistics.service import answer
from shared.statistics.slices import Content, Slice
from shared.statistics.vocabulary import Family, Unit
from tests.conftest import NOON
from tests.statistics.registered_cities import register
from tests.statistics.slices_by_hand import COMPUTED

WORDS = Text("word", "词")
VALUES = {"level": ["high", "low"], "sex": ["f", "m", "?"]}
MONTHS = ["2026-09", "2026-10", "2026-11"]
CITIES = ["110100", "310100", "440100", "440300", "441900"]


def indicator(code: str, dataset: str, aggregation: Aggregation | Ratio) -> Indicator:
    return Indicator(code, WORDS, Unit.FEN, Family.REVENUE, dataset, aggregation, WORDS)


CATALOGUE = Catalogue(
    tuple(Dimension(code, WORDS, dict.fromkeys(values, WORDS)) for code, values in VALUES.items()),
    tuple(
        Dataset(code, WORDS, tuple(VALUES), frozenset(PeriodKind)) for code in ("people", "money")
    ),
    (
        indicator("stock", "people", Aggregation.SNAPSHOT),
        indicator("kept", "people", Aggregation.SNAPSHOT),
        indicator("flow", "people", Aggregation.SUM),
        indicator("base", "people", Aggregation.SUM),
        indicator("oldest", "people", Aggregation.MAX),
        indicator("youngest", "people", Aggregation.MIN),
        indicator("kept_share", "people", Ratio("kept", "stock", 100)),
        indicator("flow_rate", "people", Ratio("flow", "base")),
        indicator("revenue", "money", Aggregation.SUM),
        indicator("dearest", "money", Aggregation.MAX),
    ),
)
CODES = list(CATALOGUE.indicators)

Facts = dict[tuple[str, str, str], dict[tuple[str, ...], dict[str, int]]]
"""By dataset, city and month, which a slice may be missing of: cells."""


def random_facts(chance: random.Random) -> Facts:
    facts: Facts = {}
    for dataset in CATALOGUE.datasets:
        codes = [each.code for each in CATALOGUE.measures_of(dataset)]
        for city in CITIES:
            for month in MONTHS:
                if chance.random() < 0.2:
                    continue
                cells = facts.setdefault((dataset, city, month), {})
                for level in VALUES["level"]:
                    for sex in VALUES["sex"]:
                        values = {c: chance.randint(-3, 9) for c in codes if chance.random() < 0.6}
                        if values and chance.random() < 0.7:
                            cells[level, sex] = values
    return facts


def random_words(chance: random.Random) -> Words:
    first = chance.randrange(len(MONTHS))
    last = MONTHS[chance.randrange(first, len(MONTHS))]
    ranged = chance.random() < 0.7
    filters = {
        code: chance.sample(values, chance.randint(1, len(values)))
        for code, values in VALUES.items()
        if chance.random() < 0.3
    }
    region, levels = chance.choice(
        [
            ("000000", [None, "nation", "province", "city"]),
            ("440000", [None, "province", "city"]),
            ("440300", [None, "city"]),
        ]
    )
    return Words(
        indicators=chance.sample(CODES, chance.randint(1, len(CODES))),
        by=[word for word in ("period", "region", *VALUES) if chance.random() < 0.4],
        region=region,
        region_level=chance.choice(levels),
        filters=filters,
        period=None if ranged else MONTHS[first],
        first=MONTHS[first] if ranged else None,
        last=last if ranged else None,
    )


def plain_count(question: Question, facts: Facts) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows by period, region and dimension values, put together one value at a time."""
    asked = [str(each) for each in question.periods]
    within = {city.code for city in cities_of(question.region.code)}
    known = {
        key: cells
        for key, cells in facts.items()
        if key[0] in question.measures and key[1] in within and key[2] in asked
    }
    closing = {d: max(k[2] for k in known if k[0] == d) for d in {key[0] for key in known}}
    gathered: dict[tuple[Any, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (dataset, city, month), cells in known.items():
        group = (question.bucket(month), question.region_of(city).code)
        counted = {
            each.code
            for each in CATALOGUE.measures_of(dataset)
            if each.aggregation is not Aggregation.SNAPSHOT
            or question.by_period
            or month == closing[dataset]
        }
        told[group] |= counted
        for row, code, value in fitting(question, dataset, cells):
            # A cell makes a row, even if its snapshot does not close the range.
            gathered[*group, *row][code] += [value] if code in counted else []
    if not question.dimensions:
        for group in told:
            gathered[group]
    return {
        row: {
            each.code: value_of(each, values, told[row[0], row[1]]) for each in question.indicators
        }
        for row, values in gathered.items()
    }


def fitting(
    question: Question, dataset: str, cells: dict[tuple[str, ...], dict[str, int]]
) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """The values that were asked for, of cells that fit the filters, each with its row."""
    for key, values in cells.items():
        place = dict(zip(VALUES, key, strict=True))
        if all(place[each.code] in allowed for each, allowed in question.filters):
            row = tuple(place[each.code] for each in question.dimensions)
            for code in set(question.measures[dataset]) & set(values):
                yield row, code, values[code]


def value_of(each: Indicator, values: dict[str, list[int]], told: set[str]) -> Fraction | None:
    how = each.aggregation
    if isinstance(how, Ratio):
        top, bottom = (
            value_of(CATALOGUE.indicators[code], values, told)
            for code in (how.numerator, how.denominator)
        )
        return None if top is None or not bottom else top * how.scale / bottom
    found = values.get(each.code, [])
    if how in {Aggregation.MAX, Aggregation.MIN}:
        pick = max if how is Aggregation.MAX else min
        return Fraction(pick(found)) if found else None
    return Fraction(sum(found)) if each.code in told else None


def answered(question: Question, rows: Sequence[Any]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for row in rows:
        key = (
            row["period"],
            row["region"]["code"],
            *(row[each.code] for each in question.dimensions),
        )
        yield key, row["values"]


@pytest.mark.parametrize("put", ["nothing", "something", "everything"])
@pytest.mark.parametrize("seed", range(3))
async def test_every_question_is_answered_as_a_plain_count_would(
    database: Database, seed: int, put: str
) -> None:
    """Whatever has been put together before."""
    chance = random.Random(seed)  # noqa: S311 - a draw that can be repeated
    facts = random_facts(chance)
    questions = [
        read_question(random_words(chance), CATALOGUE, scope="000000", now=NOON) for _ in range(60)
    ]

    async with database.transaction() as session:
        await register(session, NOON, *CITIES)
    for at, ((dataset, city, month), cells) in enumerate(facts.items()):
        if put == "something" and at == len(facts) * 2 // 3:
            await put_together(database, Tier.HQ, now=NOON)
        async with database.transaction() as session:
            codes = [each.code for each in CATALOGUE.measures_of(dataset)]
            content = Content.of(
                dataset,
                city,
                Period.parse(month),
                dimensions=tuple(VALUES),
                measures=codes,
                cells=[
                    (key, [values.get(code) for code in codes]) for key, values in cells.items()
                ],
            )
            await repository.store(session, Slice(content, 1, None, COMPUTED), received_at=COMPUTED)
    if put == "everything":
        await put_together(database, Tier.HQ, now=NOON)
    async with database.transaction() as session:
        for question in questions:
            found = await answer(session, question, Terms(CATALOGUE, None), here="000000")
            document = orjson.loads(found.body or b"")
            expected = plain_count(question, facts)
            rows = dict(answered(question, document["rows"]))
            assert len(rows) == len(document["rows"])
            assert rows.keys() == expected.keys(), question
            for key, values in rows.items():
                assert values == pytest.approx(
                    {c: v if v is None else float(v) for c, v in expected[key].items()}, abs=1e-6
                ), (question, key)
