"""A whole city, those who changed and one customer: the same results, whatever order they are found in."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.credit.scorecard import RULE as CREDIT
from services.city_node.evaluation import repository
from services.city_node.evaluation.facts import Window
from services.city_node.evaluation.models import Scope
from services.city_node.evaluation.problems import EvaluationUnderWay
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.service import Evaluator
from services.city_node.level.rule import RISING
from services.city_node.level.rule import RULE as LEVEL
from shared.kernel.database import driver_connection
from shared.policy.declaration import PolicyInForce
from tests.conftest import NOON, TestNode
from tests.evaluation.folk import Someone, empty, folk, known, settle_in
from tests.evaluation.policies import credit_policies, level_policies
from tests.query.people import UNITS

RULES: tuple[Rule[Any], ...] = (LEVEL, CREDIT)
SLOWLY = settings(
    max_examples=10,
    deadline=None,
    phases=(
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ),  # a smaller city tells no more, and takes long to find
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NUMBER = 40


@dataclass(frozen=True, slots=True)
class Given(Evaluator):
    """Goes by a policy that is given, and not by what is published."""

    given: Any = None

    async def policy(self, session: AsyncSession) -> PolicyInForce[Any]:
        if self.given is None:
            return await Evaluator.policy(self, session)
        return PolicyInForce(self.given, "given", date.min)


def evaluator(city: TestNode, rule: Rule[Any], policy: Any = None) -> Given:
    return Given(city.context, rule, city.clock.now(), "test", given=policy)


async def settle(city: TestNode, people: list[Someone]) -> None:
    """Put others in the place of the city's customers."""
    city.clock._now = NOON
    async with city.database.transaction() as session:
        await empty(session)
        if not await session.scalar(
            text("SELECT count(*) FROM organisation_unit WHERE code = :code"), {"code": UNITS[2]}
        ):
            await session.execute(
                text(
                    "INSERT INTO organisation_unit SELECT '440300-01-A', '440300-01', path || '440300-01-A/', kind,"
                    " name_zh, name_en, true, 1, created_at, updated_at FROM organisation_unit WHERE code = '440300-01'"
                )
            )
        await settle_in(session, people)


async def held(city: TestNode, rule: Rule[Any]) -> dict[UUID, tuple[Any, ...]]:
    """The outcomes of the results that hold, and what was used for them."""
    columns = ", ".join(rule.outcome)
    async with city.database.transaction() as session:
        rows = await session.execute(
            text(f"SELECT customer_id, {columns} FROM {rule.table} WHERE until IS NULL")  # noqa: S608 - a declared table
        )
        return {row[0]: tuple(row[1:]) for row in rows}


async def forget(city: TestNode, rule: Rule[Any]) -> None:
    """Leave nothing of what was found, but for a grace that runs."""
    async with city.database.transaction() as session:
        await session.execute(text(f"DELETE FROM {rule.table} WHERE policy <> 'p'"))  # noqa: S608 - a declared table
        await session.execute(text(f"UPDATE {rule.table} SET until = NULL"))  # noqa: S608 - a declared table
        await session.execute(
            text("DELETE FROM evaluation WHERE rule = :rule"), {"rule": rule.name}
        )


async def change_somebody(
    session: AsyncSession, chance: random.Random, people: list[Someone]
) -> None:
    """Change what rules know, as somebody at a desk, billing or an import would."""
    who = chance.choice(people)
    acts: list[tuple[str, dict[str, Any]]] = [
            ("UPDATE bill SET charge_fen = :charge WHERE customer_id = :id", {}),
            ("UPDATE bill SET paid_on = NULL WHERE customer_id = :id", {}),
            ("UPDATE bill SET paid_on = period + 40 WHERE customer_id = :id", {}),
            ("DELETE FROM bill WHERE customer_id = :id AND period >= '2026-07-01'", {}),
            (
                """INSERT INTO bill (subscription_id, customer_id, period, charge_fen)
                SELECT s.id, s.customer_id, '2026-10-01', :charge FROM subscription s WHERE s.customer_id = :id
                ON CONFLICT DO NOTHING""",
                {},
            ),
            ("UPDATE bill SET customer_id = :other WHERE customer_id = :id", {"other": chance.choice(people).id}),
            ("UPDATE customer SET level = :level WHERE id = :id", {"level": chance.choice(RISING).value}),
            ("UPDATE customer SET contract_term = 'two_year' WHERE id = :id", {}),
            ("UPDATE customer SET entry_date = entry_date - 200 WHERE id = :id", {}),
            ("UPDATE customer SET library = 'retained', left_on = entry_date WHERE id = :id", {}),
            ("UPDATE customer SET library = 'in_network', left_on = NULL WHERE id = :id", {}),
            ("DELETE FROM group_member WHERE member_id = :id", {}),
            ("UPDATE group_member SET until = NULL, since = '2026-01-01' WHERE customer_id = :id", {}),
            (
                """INSERT INTO customer_change (customer_id, at, by, source, action, changes) VALUES
                (:id, '2026-11-20', 't', 'rest', 'changed', '[{"field": "x", "new": "suspended", "old": null}]')""",
                {},
            ),
            ("UPDATE customer SET name = '乙' WHERE id = :id", {}),
    ]  # fmt: skip
    statement, values = chance.choice(acts)
    given = {"id": who.id, "charge": chance.choice([1, 40_000, 90_000, 500_000]), **values}
    needed = {name: value for name, value in given.items() if f":{name}" in statement}
    async with session.begin_nested():
        await session.execute(text(statement), needed)


@SLOWLY
@given(some.integers(0, 10_000), level_policies(), credit_policies())
async def test_those_who_changed_are_those_whose_results_change(
    city: TestNode, seed: int, levels: Any, credit: Any
) -> None:
    chance, people = random.Random(seed), folk(seed, NUMBER)  # noqa: S311 - a draw that can be repeated
    await settle(city, people)
    for rule, policy in zip(RULES, (levels, credit), strict=True):
        assert (await evaluator(city, rule, policy).evaluate_changed()).scope == Scope.CITY
    for _ in range(3):
        city.clock.advance(timedelta(hours=1))
        async with city.database.transaction() as session:
            for _ in range(chance.randrange(5)):
                await change_somebody(session, chance, people)
        found = []
        for rule, policy in zip(RULES, (levels, credit), strict=True):
            evaluation = await evaluator(city, rule, policy).evaluate_changed()
            assert evaluation.scope == Scope.CHANGED
            found.append(await held(city, rule))
        for rule, policy, changed in zip(RULES, (levels, credit), found, strict=True):
            again = await evaluator(city, rule, policy).evaluate_city()
            assert again.changed == 0, again
            assert await held(city, rule) == changed
            # What is found without what was found before differs by the grace alone, which remembers.
            if rule is CREDIT:
                await forget(city, rule)
                await evaluator(city, rule, policy).evaluate_city()
                assert await held(city, rule) == changed


@SLOWLY
@given(some.integers(0, 10_000), level_policies(), credit_policies())
async def test_one_customer_is_given_what_the_city_gives(
    city: TestNode, seed: int, levels: Any, credit: Any
) -> None:
    people = folk(seed, NUMBER)
    for rule, policy in zip(RULES, (levels, credit), strict=True):
        await settle(city, people)
        await evaluator(city, rule, policy).evaluate_city()
        whole = await held(city, rule)
        await settle(city, people)
        for each in people:
            async with city.database.transaction() as session:
                await evaluator(city, rule, policy).evaluate_some(session, [each.id])
        assert await held(city, rule) == whole


async def test_a_result_holds_until_another_takes_its_place(city: TestNode) -> None:
    people = folk("history", NUMBER)
    await settle(city, people)
    await evaluator(city, LEVEL).evaluate_city()
    first = city.clock.now()
    rich = next(each for each in people if each.library == "in_network" and each.kind == "group")
    for charge in (300_000, 80_000):
        city.clock.advance(timedelta(days=1))
        async with city.database.transaction() as session:
            await session.execute(
                text("UPDATE bill SET charge_fen = :charge WHERE customer_id = :id"),
                {"charge": charge, "id": rich.id},
            )
        await evaluator(city, LEVEL).evaluate_changed()
    async with city.database.transaction() as session:
        rows = (
            await session.execute(
                text(
                    "SELECT since, until, policy, level, used ->> 'from' FROM level_result"
                    " WHERE customer_id = :id AND since >= :first ORDER BY since"
                ),
                {"id": rich.id, "first": first},
            )
        ).all()
    assert [row.until for row in rows] == [row.since for row in rows[1:]] + [None]
    assert {row.policy for row in rows} == {"level default"}
    assert {row[4] for row in rows} == {"2026-05"}
    assert len(rows) > 1


async def test_a_result_that_held_for_no_time_leaves_nothing(city: TestNode) -> None:
    people = folk("instant", NUMBER)
    await settle(city, people)
    await evaluator(city, CREDIT).evaluate_city()
    async with city.database.transaction() as session:
        await session.execute(text("UPDATE bill SET charge_fen = 990000"))
    evaluation = await evaluator(city, CREDIT).evaluate_changed()
    assert evaluation.changed > 0
    async with city.database.transaction() as session:
        assert (
            await session.scalar(text("SELECT count(*) FROM credit_result WHERE until IS NOT NULL"))
            == 0
        )


async def test_who_left_has_no_result_that_holds(city: TestNode) -> None:
    people = folk("leaving", NUMBER)
    await settle(city, people)
    await evaluator(city, CREDIT).evaluate_city()
    city.clock.advance(timedelta(days=1))
    # Who leaves a group's level behind changes its members, too.
    gone = next(each for each in people if each.library == "in_network" and each.kind != "group")
    async with city.database.transaction() as session:
        await session.execute(
            text("UPDATE customer SET library = 'retained', left_on = entry_date WHERE id = :id"),
            {"id": gone.id},
        )
    evaluation = await evaluator(city, CREDIT).evaluate_changed()
    assert (evaluation.scope, evaluation.customers, evaluation.changed) == (Scope.CHANGED, 1, 1)
    assert gone.id not in await held(city, CREDIT)


async def test_the_city_is_evaluated_again_in_a_new_month_and_by_another_policy(
    city: TestNode,
) -> None:
    await settle(city, folk("months", NUMBER))
    scopes = [(await evaluator(city, LEVEL).evaluate_changed()).scope]
    scopes.append((await evaluator(city, LEVEL).evaluate_changed()).scope)
    city.clock.advance(timedelta(days=8))  # into December
    scopes.append((await evaluator(city, LEVEL).evaluate_changed()).scope)
    scopes.append((await evaluator(city, LEVEL, LEVEL.kind.default).evaluate_changed()).scope)
    assert scopes == [Scope.CITY, Scope.CHANGED, Scope.CITY, Scope.CITY]


async def test_an_appointment_counts_from_its_first_day_to_its_last(city: TestNode) -> None:
    someone = Someone(
        UUID(int=1), "individual", "in_network", "standard", "none", date(2020, 1, 1), UNITS[0]
    )
    today = (NOON + timedelta(hours=8)).date()
    someone.grants = [("gold", today + timedelta(days=1), today + timedelta(days=3), "approved")]
    await settle(city, [someone])
    await evaluator(city, LEVEL).evaluate_city()
    levels = []
    for _ in range(5):
        levels.append((await held(city, LEVEL))[someone.id][1:3])
        city.clock.advance(timedelta(days=1))
        await evaluator(city, LEVEL).evaluate_changed()
    spend, appointed = ("standard", "spend"), ("gold", "appointment")
    assert levels == [spend, appointed, appointed, spend, spend]


async def test_a_level_is_kept_for_the_grace_and_an_upgrade_comes_at_once(city: TestNode) -> None:
    poor = Someone(
        UUID(int=1), "individual", "in_network", "gold", "none", date(2020, 1, 1), UNITS[0]
    )
    rich = Someone(
        UUID(int=2), "individual", "in_network", "silver", "none", date(2020, 1, 1), UNITS[0]
    )
    rich.bills = [(date(2026, month, 1), 200_000, None) for month in range(1, 13)]
    await settle(city, [poor, rich])
    seen = []
    for _ in range(5):
        await evaluator(city, LEVEL).evaluate_changed()
        found = await held(city, LEVEL)
        seen.append(found[poor.id])
        if len(seen) == 1:
            assert found[rich.id] == ("diamond", "diamond", "spend", None, None)
        city.clock.advance(timedelta(days=31))
    ends = date(2027, 2, 1)  # three months after November's
    kept = ("gold", "standard", "spend", "gold", ends)
    assert seen == [kept, kept, kept, ("standard", *kept[1:]), ("standard", *kept[1:])]


async def test_facts_that_change_while_others_are_evaluated_are_not_lost(city: TestNode) -> None:
    people = folk("race", NUMBER)
    await settle(city, people)
    await evaluator(city, CREDIT).evaluate_city()
    someone = next(each for each in people if each.library == "in_network" and each.bills)
    late = city.database.transaction()
    session = await late.__aenter__()
    raised = text("UPDATE bill SET charge_fen = 990000 WHERE customer_id = :id")
    await session.execute(raised, {"id": someone.id})
    before = await evaluator(city, CREDIT).evaluate_changed()
    await late.__aexit__(None, None, None)
    after = await evaluator(city, CREDIT).evaluate_changed()
    assert (before.customers, after.customers) == (0, 1)


def test_the_plain_reading_finds_the_example_of_the_documentation() -> None:
    someone = Someone(
        UUID(int=1), "individual", "in_network", "gold", "none", date(2020, 1, 1), UNITS[0]
    )
    someone.bills = [(date(2026, month, 1), 81_230, None) for month in range(5, 11)]
    window = Window(date(2026, 11, 23), 6)
    found: Mapping[str, Any] = LEVEL.judge(
        LEVEL.kind.default, window, known(someone, [someone], window)
    )
    text_ = LEVEL.explain({**found, "from": "2026-05", "before": "2026-11"})
    assert (
        text_.en
        == "Gold because mean monthly spend over 2026-05..2026-10 is 812.30 yuan, at least 700.00."
    )
    assert text_.zh == "级别为金卡：2026-05..2026-10 月均消费 812.30 元，达到 700.00 元的标准。"


async def test_one_customer_waits_for_nobody_who_evaluates_many(city: TestNode) -> None:
    people = folk("turns", NUMBER)
    await settle(city, people)
    one, other = [each for each in people if each.library == "in_network"][:2]
    async with city.database.transaction() as first, city.database.transaction() as second:
        await evaluator(city, CREDIT).evaluate_some(first, [one.id])
        await evaluator(city, CREDIT).evaluate_some(second, [other.id])
    async with city.database.transaction() as many:
        await repository.be_alone(await driver_connection(many), CREDIT.name)
        with pytest.raises(EvaluationUnderWay):
            async with city.database.transaction() as session:
                await evaluator(city, CREDIT).evaluate_some(session, [one.id])
    assert (await held(city, CREDIT)).keys() == {one.id, other.id}
