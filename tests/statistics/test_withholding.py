"""What is withheld above the city: nobody recovers it from all answers together."""

import random
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from shared import audit, organisation, policy, staff, statistics
from shared.capability import Role
from shared.kernel.database import driver_connection
from shared.organisation.division import province_of
from shared.statistics.definition import catalogue_in_force
from shared.statistics.privacy import terms_in_force
from shared.statistics.slices import Slice
from tests.conftest import MakeNode, TestNode
from tests.statistics.attacker import Attacker
from tests.statistics.disclosure_policy import SignIn, set_threshold
from tests.statistics.registered_cities import Headers, ask, enter, keep
from tests.statistics.slices_by_hand import slice_of

CAPABILITIES = (
    organisation.capability,
    staff.capability,
    audit.capability,
    policy.capability,
    statistics.capability,
)
CITIES = ("110100", "440100", "440300", "330100", "330200", "330300")
LEVELS = ("diamond", "gold", "standard")
SEXES = ("male", "female")
PERIODS = ("2026-10", "2026-11")
THRESHOLD = 5
MEASURES = ("customers", "monthly_charge_fen")
Finest = tuple[str, str, str, str]
"""Period, city, level and sex."""
Counted = dict[Finest, int]


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    node = await make_node("000000", CAPABILITIES)
    await enter(node, *CITIES)
    return node


@pytest.fixture
async def analyst(hq: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(hq, Role.HQ_ANALYST)


def people(seed: int) -> Counted:
    """So many customers in each cell; few or none in many."""
    chosen = random.Random(seed)  # noqa: S311 - no secret
    cells = product(PERIODS, CITIES, LEVELS, SEXES)
    return {cell: chosen.choice((0, 1, 2, 3, 6, 8, 12, 20, 40)) for cell in cells}


def slices(counted: Counted) -> Iterator[Slice]:
    for period, city in product(PERIODS, CITIES):
        cells = {}
        for level, sex in product(LEVELS, SEXES):
            if count := counted[period, city, level, sex]:
                values = {
                    "customers": count,
                    "monthly_charge_fen": 1000 * count + len(level),
                    "key_customers": count * (level != "standard"),
                }
                cells[level, "monthly", "0-12", sex] = values
        yield slice_of(city, cells, period=period)


class Reader:
    """Who reads answers as sums over the finest cells."""

    def __init__(self, counted: Counted) -> None:
        self.counted = counted
        self.attacker = Attacker()

    def cells(self, row: dict[str, Any], filters: dict[str, str], period: str) -> list[Finest]:
        """The finest cells that a row puts together."""
        region = row["region"]["code"]
        return [
            cell
            for cell in self.counted
            if cell[0] == period
            and region in {"000000", province_of(cell[1]).code, cell[1]}
            and row.get("level", cell[2]) == cell[2]
            and row.get("sex", cell[3]) == cell[3]
            and (not filters or cell[3] in filters["sex"].split(","))
        ]

    def read(self, answer: dict[str, Any], filters: dict[str, str]) -> None:
        """Learn what the rows of an answer tell, and from each row that is missing that nobody is in it."""
        spoken: dict[str, set[Finest]] = defaultdict(set)
        for period, rows in _by_period(answer).items():
            singles = [row for row in rows if "others" not in row]
            listed = {id(row): self.cells(row, filters, period) for row in singles}
            spoken[period].update(cell for cells in listed.values() for cell in cells)
            everything = [
                c
                for c in self.counted
                if c[0] == period and (not filters or c[3] in filters["sex"].split(","))
            ]
            for row in rows:
                cells = listed.get(id(row)) or [c for c in everything if c not in spoken[period]]
                self.learn(row, cells, everything)
            if any("others" in row for row in rows):
                continue
            for cell in set(everything) - spoken[period]:
                for measure in MEASURES:
                    self.attacker.learn({(measure, cell): 1})

    def learn(self, row: dict[str, Any], cells: list[Finest], everything: list[Finest]) -> None:
        values = row["values"]
        for measure in MEASURES:
            if values.get(measure) is not None:
                self.attacker.learn({(measure, cell): 1 for cell in cells})
        if values.get("key_customers") is not None:
            key = [cell for cell in cells if cell[2] != "standard"]
            self.attacker.learn({("customers", cell): 1 for cell in key})
        here, whole = self.total(cells), self.total(everything)
        if values.get("customers__share") is not None:
            share = {
                ("customers", cell): Fraction(int(cell in cells)) - Fraction(here, whole)
                for cell in everything
            }
            self.attacker.learn(share)
        if values.get("arpu_fen") is not None:
            ratio = Fraction(str(values["arpu_fen"])).limit_denominator(10_000)
            self.attacker.learn(
                {("monthly_charge_fen", cell): 1 for cell in cells}
                | {("customers", cell): -ratio for cell in cells}
            )
        if values.get("customers__change") is not None:
            before = [(PERIODS[0], *cell[1:]) for cell in cells]
            then = self.total(before)
            self.attacker.learn(
                {("customers", c): 1 for c in cells} | {("customers", c): -1 for c in before}
            )
            if values.get("customers__growth") is not None:
                growth = Fraction(here, then)
                self.attacker.learn(
                    {("customers", c): 1 for c in cells}
                    | {("customers", c): -growth for c in before}
                )

    def total(self, cells: list[Finest]) -> int:
        return sum(self.counted[cell] for cell in cells)


def _by_period(answer: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in answer["rows"]:
        found[row["period"]].append(row)
    return found


def questions() -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Every table there is, looked at in every way, with the filters of each."""
    tables = [
        (places, [*places, *traits], level)
        for places in ([], ["region"])
        for traits in ([], ["level"], ["sex"], ["level", "sex"])
        for level in (("nation",) if not places else ("province", "city"))
    ]
    ways: list[dict[str, Any]] = [
        {},
        {"share": "customers"},
        {"compare": "previous"},
        {"top": 1},
        {"top": 2, "share": "customers"},
    ]
    for (_, by, level), way in product(tables, ways):
        for filters in ({}, {"sex": "male"}, {"sex": "female,unknown"}):
            yield (
                {
                    "indicator": "customers,monthly_charge_fen,arpu_fen,key_customers",
                    "from": PERIODS[0],
                    "to": PERIODS[1],
                    "by": ["period", *by],
                    "region_level": level,
                    **way,
                    **filters,
                },
                filters,
            )


@pytest.mark.parametrize("seed", range(2))
async def test_nobody_recovers_a_small_cell_from_all_answers(
    hq: TestNode, analyst: Headers, sign_in: SignIn, seed: int
) -> None:
    """By levels, dimensions, totals, top, shares, comparison, ratios and filters, and all of that together."""
    counted = people(seed)
    await keep(hq, *slices(counted))
    await set_threshold(hq, sign_in, THRESHOLD)
    reader = Reader(counted)
    told = 0
    for question, filters in questions():
        answer = await ask(hq, analyst, **question)
        told += sum(value is not None for row in answer["rows"] for value in row["values"].values())
        reader.read(answer, filters)
    small = list(small_cells(counted))
    assert len(small) > 10
    assert told > 1000
    for measure, cells in product(MEASURES, small):
        assert not reader.attacker.knows({(measure, cell): 1 for cell in cells}), cells


def small_cells(counted: Counted) -> Iterator[list[Finest]]:
    """The cells of every table that have few people."""
    for period, where, level, sex in product(
        PERIODS, (*CITIES, "440000", "330000", "000000"), (*LEVELS, ""), (*SEXES, "")
    ):
        cells = [
            cell
            for cell in counted
            if cell[0] == period
            and where in {cell[1], province_of(cell[1]).code, "000000"}
            and level in {cell[2], ""}
            and sex in {cell[3], ""}
        ]
        if 0 < sum(counted[cell] for cell in cells) < THRESHOLD:
            yield cells


async def test_without_the_policy_the_attacker_finds_every_small_cell(
    hq: TestNode, analyst: Headers
) -> None:
    """So that the test above can fail; and nothing is withheld, marked or told of a rule."""
    counted = people(0)
    await keep(hq, *slices(counted))
    reader = Reader(counted)
    answer = await ask(
        hq,
        analyst,
        indicator="customers",
        **{"from": PERIODS[0], "to": PERIODS[1]},
        by="period,region,level,sex",
        region_level="city",
    )
    reader.read(answer, {})
    assert all(
        reader.attacker.knows({("customers", c): 1 for c in cells})
        for cells in small_cells(counted)
    )
    assert all("withheld" not in row for row in answer["rows"])
    assert all("withheld" not in entry for entry in answer["provenance"])


async def test_without_complementary_cells_the_attacker_finds_small_ones(
    hq: TestNode, analyst: Headers, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the attack is one: where small cells alone are withheld, some follow from the rest."""

    def small_alone(_: Any, people: Any, __: Any, *, threshold: int) -> set[Any]:
        return {cell for cell, count in people.items() if 0 < count < threshold}

    monkeypatch.setattr("shared.statistics.withholding.withheld", small_alone)
    counted = people(0)
    await keep(hq, *slices(counted))
    await set_threshold(hq, sign_in, THRESHOLD)
    reader = Reader(counted)
    for question, filters in questions():
        if not filters:
            reader.read(await ask(hq, analyst, **question), filters)
    found = [
        cells
        for cells in small_cells(counted)
        if reader.attacker.knows({("customers", cell): 1 for cell in cells})
    ]
    assert len(found) > 5


async def test_without_a_policy_an_answer_costs_no_statement_more(hq: TestNode) -> None:
    counts = []
    for terms in (catalogue_in_force, terms_in_force):
        statements: list[str] = []
        async with hq.database.transaction() as session:
            connection = await driver_connection(session)
            with connection.query_logger(lambda each, found=statements: found.append(each.query)):
                await terms(session, "000000", hq.clock.now())
        counts.append(len(statements))  # after the commit: they are told a moment later
    assert counts[0] > 0
    assert counts[0] == counts[1]
