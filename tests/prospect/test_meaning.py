"""The SQL of any two policies says of each customer what their plain reading says."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as some

from services.city_node.prospect.rule import USED, Terms, judge
from services.city_node.prospect.statement import judged
from services.city_node.prospect.wording import advise, explain
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.policy.kinds.level import LEVEL
from shared.policy.kinds.prospect import PROSPECT
from tests.conftest import _administer, _copy_database
from tests.evaluation.policies import level_policies
from tests.examples import examples
from tests.prospect.suitors import all_known, prospect_policies, settle_suitors, suitors
from tests.query.test_meaning import _add_units

PEOPLE = suitors("meaning", 200)
DAYS = some.sampled_from(
    [date(2026, 11, 23), date(2026, 11, 1), date(2026, 12, 31), date(2027, 1, 1), date(2026, 6, 1)]
)
SHIPPED = Terms(PROSPECT.default, LEVEL.default, "shipped")
MEANT = settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
async def town(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Database]:
    """A database with everybody in it, searched a hundred times."""
    await _copy_database(postgres, template, "searched")
    database = Database(postgres.database_url("searched"), 2)
    async with database.transaction() as session:
        await _add_units(session)
        await settle_suitors(session, PEOPLE)
    yield database
    await database.close()
    await _administer(postgres, 'DROP DATABASE "searched" WITH (FORCE)')


async def compare(town: Database, terms: Terms, on: date) -> Counter[str]:
    window = terms.window(on)
    pool = await town.pool()
    rows = [dict(row) for row in await pool.fetch(judged(terms, window))]
    found = {row["customer_id"]: {**row, "used": orjson.loads(row["used"])} for row in rows}
    present = [each for each in PEOPLE if each.someone.library == "in_network"]
    assert found.keys() == {each.someone.id for each in present}
    seen: Counter[str] = Counter()
    names = ("target", "score", "signals", "is_prospect")
    for each in present:
        meant = judge(terms, window, all_known(each, PEOPLE, terms, window))
        row = found[each.someone.id]
        assert {name: row[name] for name in names} == {name: meant[name] for name in names}, (
            each,
            meant,
        )
        assert {name: row["used"][name] for name in USED} == {name: meant[name] for name in USED}
        said = [explain(row), *advise(row)]
        assert all("{" not in text.en + text.zh and "None" not in text.en for text in said)
        if row["is_prospect"]:
            seen.update([*row["signals"], row["target"]])
    one = present[on.toordinal() % len(present)].someone.id
    (alone,) = await pool.fetch(judged(terms, window, restricted=True), [one])
    assert {**alone, "used": orjson.loads(alone["used"])} == found[one]
    return seen


@MEANT
@example(PROSPECT.default, LEVEL.default, date(2026, 11, 23))
@given(prospect_policies(), level_policies(), DAYS)
async def test_prospects_are_as_the_policies_read(
    town: Database, prospect: Any, level: Any, on: date
) -> None:
    event(f"signals {sorted(await compare(town, Terms(prospect, level, 'drawn'), on))}")


async def test_the_shipped_policies_find_prospects_by_every_signal(town: Database) -> None:
    seen = await compare(town, SHIPPED, date(2026, 11, 23))
    assert seen.keys() >= {"near", "growing", "competitor", "entitled", "silver", "gold", "diamond"}


@pytest.mark.parametrize(
    ("charges", "months"),
    [
        ([10_000, 12_000, 14_000, 16_000, 18_000, 20_000], 5),  # 22, 24, 26, 28 and 30 thousand
        ([10_000, 12_000, 14_000, 16_000, 18_000, 20_001], 5),
        ([20_000, 22_000, 24_000, 26_000, 28_000, 30_000], 0),
        ([28_000, 22_000, 20_000, 18_000, 16_000, 10_000], None),
        ([20_000, 20_000, 20_000, 20_000, 20_000, 20_000], None),
        ([20_000, 20_000, 20_000, 20_000, 20_000, 20_500], None),  # too slowly
    ],
)
def test_the_line_reaches_the_threshold_when_a_ruler_says_so(
    charges: list[int], months: int | None
) -> None:
    given = {
        **dict.fromkeys(("held", "appointed", "group_held", "competitor_fee_fen"), 0),
        "competitor_share": 0,
        "was_target": None,
        "was_worked": False,
        "refuses": False,
        "resting": False,
        "competitors": None,
        "tenure_months": 60,
        "held_months": 6,
        "billed_fen": sum(charges),
        "billed_months": 6,
        "trend_fen": sum(charges),
        "trend_weighted": sum((2 * i - 5) * charge for i, charge in enumerate(charges)),
    }
    found = judge(SHIPPED, SHIPPED.window(date(2026, 11, 23)), given)
    assert (found["reach_months"], found["target"]) == (months, "silver")
