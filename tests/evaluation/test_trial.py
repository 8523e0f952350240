"""A dry run announces exactly what the evaluation after the publication changes."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import text

from services.city_node.credit.scorecard import RULE as CREDIT
from services.city_node.evaluation import trial
from services.city_node.evaluation.rule import Rule
from services.city_node.level.rule import RULE as LEVEL
from shared.capability import Requester
from shared.policy.declaration import PolicyDocument
from tests.city.drafts import TEAM, Headers
from tests.conftest import TestNode
from tests.evaluation.folk import folk
from tests.evaluation.policies import credit_policies, level_policies
from tests.evaluation.test_evaluation import NUMBER, SLOWLY, evaluator, settle
from tests.query.people import CITY

Announced = dict[UUID, tuple[str | None, str, int, int]]


async def announced(
    city: TestNode, rule: Rule[Any], draft: dict[str, Any], publisher: str | None = None
) -> tuple[Announced, list[dict[str, Any]]]:
    """Try a draft, and return who would change from what to what at what cost, and the summary."""
    requester = Requester("test", None, CITY, None)
    async with city.context.database.transaction() as session:
        ask = trial.Ask(draft, publisher)
        made = await trial.make(session, city.context, rule, ask, requester, now=city.clock.now())
        await session.flush()
        await trial.compare(session, city.context, rule, made)
        await session.flush()
        rows = await session.execute(
            text(
                "SELECT customer_id, was_label, label, was_cost_fen, cost_fen FROM evaluation_trial_change"
                " WHERE trial_id = :id"
            ),
            {"id": made.id},
        )
        return {row[0]: tuple(row[1:]) for row in rows}, made.summary or []


async def results(city: TestNode, rule: Rule[Any]) -> dict[UUID, tuple[Any, str]]:
    """When each result that holds began, and its label."""
    async with city.database.transaction() as session:
        rows = await session.execute(
            text(f"SELECT customer_id, since, {rule.label} FROM {rule.table} WHERE until IS NULL")  # noqa: S608 - a declared table
        )
        return {row[0]: (row[1], row[2]) for row in rows}


def national(document: PolicyDocument) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(document.model_dump_json())
    return found


async def compare(city: TestNode, rule: Rule[Any], seed: int, present: Any, would_be: Any) -> None:
    await settle(city, folk(seed, NUMBER))
    await evaluator(city, rule, present).evaluate_city()
    before = await results(city, rule)
    city.clock.advance(timedelta(hours=1))
    told, summary = await announced(city, rule, national(would_be), "000000")
    assert await results(city, rule) == before, "a dry run changes nothing"
    evaluation = await evaluator(city, rule, would_be).evaluate_city()
    after = await results(city, rule)
    changed = {who for who in after if after[who][0] != before[who][0]}
    assert changed == told.keys()
    assert evaluation.changed == len(told)
    for who, (was, becomes, _, _) in told.items():
        assert (was, becomes) == (before[who][1], after[who][1])
    assert sum(line["customers"] for line in summary) == len(told)
    assert sum(line["cost_fen"] for line in summary) == sum(row[3] for row in told.values())


@SLOWLY
@given(some.integers(0, 10_000), level_policies(), level_policies())
async def test_levels_change_as_announced(
    city: TestNode, seed: int, present: Any, would_be: Any
) -> None:
    await compare(city, LEVEL, seed, present, would_be)


@SLOWLY
@given(some.integers(0, 10_000), credit_policies(), credit_policies())
async def test_credit_changes_as_announced(
    city: TestNode, seed: int, present: Any, would_be: Any
) -> None:
    await compare(city, CREDIT, seed, present, would_be)


@pytest.fixture
async def settled(city: TestNode) -> TestNode:
    """A city whose customers have results by the policies that ship."""
    await settle(city, folk("tried", NUMBER))
    for rule in (LEVEL, CREDIT):
        await evaluator(city, rule).evaluate_city()
    return city


async def test_a_draft_is_tried_published_and_does_what_was_announced(
    settled: TestNode, supervisor: Headers, second: Headers
) -> None:
    city = settled
    draft = {"thresholds": {"gold_fen": 40_000, "silver_fen": 35_000}, "grace_months": 1}
    asked = await city.client.post("/level-trials", json={"draft": draft}, headers=supervisor)
    assert asked.status_code == 202, asked.text
    assert await city.run_work("try-level")
    path = asked.headers["location"]
    work = (await city.client.get(f"/works/{asked.json()['id']}", headers=supervisor)).json()
    tried = (await city.client.get(path, headers=supervisor)).json()
    assert work["state"] == "done", work
    assert tried["policy"] == "level default"
    assert tried["document"]["thresholds"]["gold_fen"] == 40_000
    page = await city.client.get(f"{path}/changes?moves=true&limit=500", headers=supervisor)
    assert page.status_code == 200, page.text
    moves = {
        item["customer_id"]: (item["was_label"], item["label"]) for item in page.json()["items"]
    }
    assert work["result"]["moved"] == len(moves) > 0
    gold = await city.client.get(f"{path}/changes?becomes=gold&was=silver", headers=supervisor)
    assert gold.status_code == 200, gold.text
    assert {item["label"] for item in gold.json()["items"]} <= {"gold"}

    today = (city.clock.now() + timedelta(hours=8)).date().isoformat()
    body = {"document": draft, "effective_from": today, "note": "tried"}
    once = {"Idempotency-Key": "draft"}
    made = await city.client.post(
        "/policies/level/drafts", json=body, headers={**supervisor, **once}
    )
    assert made.status_code == 201, made.text
    approved = await city.client.post(
        "/policies/level/versions",
        json={"draft": made.json()["id"]},
        headers={**second, **once, "If-Match": made.headers["etag"]},
    )
    assert approved.status_code == 201, approved.text
    before = await results(city, LEVEL)
    city.clock.advance(timedelta(minutes=1))
    await city.run_job("evaluate-level")
    after = await results(city, LEVEL)
    assert {
        str(who): (before[who][1], label)
        for who, (_, label) in after.items()
        if before[who][1] != label
    } == moves
    listed = await city.client.get("/level-evaluations?limit=1", headers=supervisor)
    assert listed.status_code == 200, listed.text
    assert listed.json()["items"][0]["policy"] == "level default + 440300:1"


async def test_a_draft_outside_the_bounds_is_refused(
    settled: TestNode, supervisor: Headers
) -> None:
    for draft in ({"thresholds": {"gold_fen": 1}}, {"thresholds": {"golden_fen": 1}}, {"x": 1}):
        answer = await settled.client.post(
            "/level-trials", json={"draft": draft}, headers=supervisor
        )
        assert answer.status_code == 422, answer.text


async def test_a_unit_tries_and_sees_its_own_customers_alone(
    settled: TestNode, sign_in: Any, supervisor: Headers
) -> None:
    team = await sign_in(settled, "supervisor", TEAM)
    asked = await settled.client.post(
        "/credit-trials", json={"draft": {"limit_step_fen": 1_000}}, headers=team
    )
    assert await settled.run_work("try-credit")
    path = asked.headers["location"]
    tried = (await settled.client.get(path, headers=team)).json()
    assert {line["unit_code"][:9] for line in tried["summary"]} == {TEAM}
    whole = await settled.client.post(
        "/credit-trials", json={"draft": {"limit_step_fen": 1_000}}, headers=supervisor
    )
    assert await settled.run_work("try-credit")
    other = await settled.client.get(whole.headers["location"], headers=team)
    assert other.status_code == 404


async def test_an_evaluation_is_asked_for_followed_and_listed(
    settled: TestNode, supervisor: Headers, clerk: Headers
) -> None:
    refused = await settled.client.post("/level-evaluations", json={}, headers=clerk)
    assert refused.status_code == 403
    asked = await settled.client.post(
        "/level-evaluations", json={"scope": "city"}, headers=supervisor
    )
    assert asked.status_code == 202, asked.text
    assert await settled.run_work("evaluate-level")
    work = (await settled.client.get(asked.headers["location"], headers=supervisor)).json()
    assert (work["state"], work["result"]["changed"]) == ("done", 0)
    assert work["progress_done"] == work["progress_total"] > 0


async def test_one_customer_is_shown_evaluated_and_explained(
    settled: TestNode, clerk: Headers
) -> None:
    holding = await results(settled, LEVEL)
    who = next(each.id for each in folk("tried", NUMBER) if each.id in holding and each.bills)
    for name in ("level", "credit"):
        shown = await settled.client.get(f"/customers/{who}/{name}", headers=clerk)
        assert shown.status_code == 200, shown.text
        standing = shown.json()
        assert standing["differs"] is False
        assert standing["now"]["explanation"] == standing["result"]["explanation"]
        assert standing["result"]["explanation"]["zh"].endswith("。")
        assert standing["result"]["policy"] == f"{name} default"
    async with settled.database.transaction() as session:
        await session.execute(
            text("UPDATE bill SET charge_fen = 999999 WHERE customer_id = :id"), {"id": who}
        )
    settled.clock.advance(timedelta(minutes=1))
    stale = (await settled.client.get(f"/customers/{who}/credit", headers=clerk)).json()
    assert stale["differs"] is True
    done = await settled.client.post(f"/customers/{who}/credit/evaluate", headers=clerk)
    assert done.status_code == 200, done.text
    assert done.json()["differs"] is False
    history = await settled.client.get(f"/customers/{who}/credit/history", headers=clerk)
    assert [item["until"] is None for item in history.json()["items"]] == [True, False]
    page = await settled.client.get(
        f"/customers/{who}?fields=id&include=credit,level_result", headers=clerk
    )
    assert page.json()["credit"]["rating"] == done.json()["result"]["rating"]
    listed = await settled.client.get("/credit-results?rating=A", headers=clerk)
    assert {item["rating"] for item in listed.json()["items"]} <= {"A"}
