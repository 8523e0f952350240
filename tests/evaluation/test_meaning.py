"""The SQL of any policy gives each customer what its plain reading gives."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as some

from services.city_node.credit.scorecard import RULE as CREDIT
from services.city_node.evaluation.facts import Window, relation
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.statement import judged
from services.city_node.level.rule import RULE as LEVEL
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.conftest import _administer, _copy_database
from tests.evaluation.folk import folk, known, settle_in
from tests.evaluation.policies import credit_policies, level_policies
from tests.examples import examples
from tests.query.test_meaning import _add_units

FOLK = folk("meaning", 200)
DAYS = some.sampled_from(
    [date(2026, 11, 23), date(2026, 11, 1), date(2026, 12, 31), date(2027, 1, 1), date(2026, 3, 1)]
)
MEANT = settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
async def town(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Database]:
    """A database with everybody in it, evaluated a few hundred times."""
    await _copy_database(postgres, template, "evaluated")
    database = Database(postgres.database_url("evaluated"), 2)
    async with database.transaction() as session:
        await _add_units(session)
        await settle_in(session, FOLK)
    yield database
    await database.close()
    await _administer(postgres, 'DROP DATABASE "evaluated" WITH (FORCE)')


async def compare(town: Database, rule: Rule[Any], policy: Any, on: date) -> set[str]:
    window = Window(on, rule.window(policy))
    pool = await town.pool()
    rows = await pool.fetch(judged(rule, policy, window, differing=False))
    found = {row["customer_id"]: row for row in rows}
    present = [each for each in FOLK if each.library == "in_network"]
    assert found.keys() == {each.id for each in present}
    for each in present:
        meant = rule.judge(policy, window, known(each, FOLK, window))
        row = found[each.id]
        assert {name: row[name] for name in rule.outcome} == {
            name: meant[name] for name in rule.outcome
        }, (each, meant)
        used = orjson.loads(row["used"])
        assert {name: used[name] for name in rule.used(policy)} == {
            name: meant[name] for name in rule.used(policy)
        }
    one = present[on.toordinal() % len(present)]
    alone = await pool.fetch(
        judged(rule, policy, window, restricted=True, differing=False), [one.id]
    )
    assert [tuple(row) for row in alone] == [tuple(found[one.id])]
    return {row[rule.label] for row in rows}


@MEANT
@example(LEVEL.kind.default, date(2026, 11, 23))
@given(level_policies(), DAYS)
async def test_levels_are_as_the_policy_reads(town: Database, policy: Any, on: date) -> None:
    event(f"levels {sorted(await compare(town, LEVEL, policy, on))}")


@MEANT
@example(CREDIT.kind.default, date(2026, 11, 23))
@given(credit_policies(), DAYS)
async def test_credit_is_as_the_policy_reads(town: Database, policy: Any, on: date) -> None:
    event(f"ratings {sorted(await compare(town, CREDIT, policy, on))}")


async def test_the_shipped_policies_find_every_level_and_rating(town: Database) -> None:
    on = date(2026, 11, 23)
    assert await compare(town, LEVEL, LEVEL.kind.default, on) == {
        *("diamond", "gold", "silver", "standard"),
    }
    assert len(await compare(town, CREDIT, CREDIT.kind.default, on)) > 2


@pytest.mark.parametrize("rule", [LEVEL, CREDIT], ids=["level", "credit"])
async def test_every_fact_is_counted_as_plainly(town: Database, rule: Rule[Any]) -> None:
    pool = await town.pool()
    for on, months in ((date(2026, 11, 23), 6), (date(2026, 3, 1), 1), (date(2027, 1, 1), 36)):
        window = Window(on, months)
        facts = rule.facts(rule.kind.default)
        rows = await pool.fetch(relation(facts, window, restricted=False))
        found = {row["customer_id"]: row for row in rows}
        for each in FOLK:
            if each.library == "in_network":
                row, meant = found[each.id], known(each, FOLK, window)
                assert {f.name: row[f.name] for f in facts} == {
                    f.name: meant[f.name] for f in facts
                }
