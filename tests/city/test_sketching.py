"""What the statement makes of many rows is the one image of their people and values, cell by cell."""

import hashlib
from uuid import UUID

import pytest

from services.city_node.rollup import repository, sketching
from shared.kernel.database import Database, driver_connection
from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.period import Period, PeriodKind
from shared.statistics.vocabulary import Family, Unit
from tests.sketched import distinct, distribution

WORD = Text("word", "词")
NOVEMBER = Period.parse("2026-11")
SPREADS = {
    "few": "n * 7919 % 9",
    "many": "n * 7919 % 100003",
    "one": "5",
    "rising": "n",
    "none": "NULL::int",
}
"""Values of the row ``n``: often the same, hardly ever, always, never; and of some rows alone."""


def measure(code: str, aggregation: Aggregation, sql: str) -> Indicator:
    return Indicator(code, WORD, Unit.FEN, Family.REVENUE, "rows", aggregation, WORD, sql=sql)


@pytest.mark.parametrize("number", [1, 2, 512, 513, 514, 1025, 1026, 4_105, 30_030])
async def test_many_rows_become_their_one_image(database: Database, number: int) -> None:
    dataset = Dataset(
        "rows",
        WORD,
        ("half", "third"),
        frozenset({PeriodKind.MONTH}),
        f"SELECT n, n % 2 AS is_odd, CASE WHEN n % 5 > 0 THEN '甲' ELSE 'b' END AS half, 'x' AS third, "  # noqa: S608 - a number
        f"md5((n / 3)::text)::uuid AS person FROM generate_series(1, {number}) n",
    )
    measures = [
        measure("people", Aggregation.DISTINCT, "person"),
        *(measure(code, Aggregation.DISTRIBUTION, sql) for code, sql in SPREADS.items()),
        measure("odd", Aggregation.DISTINCT, "CASE WHEN is_odd = 1 THEN person END"),
    ]
    async with database.transaction() as session:
        connection = await driver_connection(session)
        text = repository.bounded(sketching.statement(dataset, measures))
        images = await sketching.sketch(connection, text, measures, NOVEMBER)
        again = await sketching.sketch(connection, text, measures, NOVEMBER)

    assert images == again
    rows = range(1, number + 1)
    values = {
        "few": lambda n: n * 7919 % 9,
        "many": lambda n: n * 7919 % 100003,
        "one": lambda _: 5,
        "rising": lambda n: n,
    }
    for half, here in (
        ("甲", [n for n in rows if n % 5]),
        ("b", [n for n in rows if not n % 5]),
    ):
        person = {n: UUID(hashlib.md5(str(n // 3).encode()).hexdigest()) for n in here}  # noqa: S324 - an id
        expected = {code: distribution(map(of, here)) for code, of in values.items() if here}
        expected |= {"people": distinct(person.values())} if here else {}
        odd = [person[n] for n in here if n % 2]
        expected |= {"odd": distinct(odd)} if odd else {}
        assert images.get((half, "x"), {}) == expected
