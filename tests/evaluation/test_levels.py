"""Appointments, reviews and migrations of levels."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.city_node.level import review as reviewing
from services.city_node.level.rule import RULE as LEVEL
from shared.capability import Role
from tests.city.drafts import TEAM, Headers, SignIn, fresh, settle
from tests.conftest import TestNode
from tests.evaluation.folk import folk
from tests.evaluation.test_evaluation import evaluator, held
from tests.evaluation.test_evaluation import settle as settle_folk

GRANT = {"level": "diamond", "reason": "市重点企业负责人", "until": "2027-06-01"}


def once(headers: Headers, key: str, **more: str) -> Headers:
    return {**headers, "Idempotency-Key": key, **more}


async def propose(
    city: TestNode, headers: Headers, customer: Any, key: str = "one", **given: Any
) -> Any:
    return await city.client.post(
        f"/customers/{customer['id']}/level-appointments",
        json={**GRANT, **given},
        headers=once(headers, key),
    )


async def decide(
    city: TestNode, headers: Headers, made: Any, act: str, version: int = 1, **body: Any
) -> Any:
    return await city.client.post(
        f"/level-appointments/{made.json()['id']}/{act}",
        json=body,
        headers={**headers, "If-Match": f'"{version}"'},
    )


async def level_now(city: TestNode, headers: Headers, customer: Any) -> dict[str, Any]:
    answer = await city.client.get(f"/customers/{customer['id']}/level", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["now"]
    return found


async def test_a_level_by_appointment_takes_two_people(
    city: TestNode, clerk: Headers, supervisor: Headers, second: Headers
) -> None:
    customer = await settle(city, supervisor, level="standard")
    assert (await propose(city, clerk, customer)).status_code == 403
    made = await propose(city, supervisor, customer)
    assert made.status_code == 201, made.text
    assert (await propose(city, supervisor, customer)).json() == made.json(), "repeated, once"
    assert (await level_now(city, clerk, customer))["level"] == "standard"

    alone = await decide(city, supervisor, made, "approve")
    assert alone.status_code == 403
    assert alone.json()["type"].endswith("level-approver-is-proposer")
    done = await decide(city, second, made, "approve")
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    again = await decide(city, second, made, "approve", version=2)
    assert again.status_code == 409

    now = await level_now(city, clerk, customer)
    assert (now["level"], now["basis"]) == ("diamond", "appointment")
    assert "appointment" in now["explanation"]["en"]
    assert "特批" in now["explanation"]["zh"]

    ended = await decide(city, supervisor, made, "end", version=2, note="岗位变动")
    assert (ended.status_code, ended.json()["state"]) == (200, "ended")
    assert (await level_now(city, clerk, customer))["level"] == "standard"
    listed = await city.client.get(f"/level-appointments?customer={customer['id']}", headers=clerk)
    assert [item["note"] for item in listed.json()["items"]] == ["岗位变动"]


async def test_an_appointment_is_rejected_or_withdrawn_with_a_reason(
    city: TestNode, supervisor: Headers, second: Headers
) -> None:
    customer = await settle(city, supervisor, level="standard")
    made = await propose(city, supervisor, customer, "one")
    rejected = await decide(city, second, made, "reject", note="不符合条件")
    assert rejected.json()["state"] == "rejected"
    made = await propose(city, supervisor, customer, "two")
    withdrawn = await decide(city, supervisor, made, "reject", note="误报")
    assert withdrawn.json()["state"] == "withdrawn"


@pytest.mark.parametrize(
    "given",
    [
        {"until": "2026-11-23"},
        {"since": "2027-01-01", "until": "2027-01-01"},
        {"level": "standard"},
        {"reason": ""},
    ],
)
async def test_an_appointment_that_cannot_hold_is_refused(
    city: TestNode, supervisor: Headers, given: dict[str, str]
) -> None:
    customer = await settle(city, supervisor)
    assert (await propose(city, supervisor, customer, **given)).status_code == 422


async def review_of(city: TestNode, headers: Headers, key: str = "review", **body: Any) -> Any:
    answer = await city.client.post("/level-reviews", json=body, headers=once(headers, key))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def act(city: TestNode, headers: Headers, review: Any, name: str, **body: Any) -> Any:
    return await city.client.post(
        f"/level-reviews/{review['id']}/{name}", json=body, headers=fresh(headers, review)
    )


async def levels(city: TestNode) -> dict[UUID, str]:
    async with city.database.transaction() as session:
        rows = await session.execute(
            text("SELECT id, level FROM customer WHERE library = 'in_network'")
        )
        return {row[0]: row[1] for row in rows}


@pytest.fixture
async def evaluated(city: TestNode) -> TestNode:
    await settle_folk(city, folk("reviewed", 60))
    await evaluator(city, LEVEL).evaluate_city()
    return city


async def test_a_review_changes_what_is_held_to_what_was_found(
    evaluated: TestNode, supervisor: Headers, second: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = evaluated
    monkeypatch.setattr(reviewing, "PORTION", 3)
    before, found = await levels(city), await held(city, LEVEL)
    differing = {who for who, result in found.items() if result[0] != before[who]}
    review = await review_of(city, supervisor)
    assert review["line_count"] == len(differing) > 6
    kept, moved, *_ = sorted(differing, key=str)
    review = (
        await act(city, supervisor, review, "leave-out", customers=[str(kept)], reason="谈判中")
    ).json()
    assert (await act(city, supervisor, review, "approve")).status_code == 403
    async with city.database.transaction() as session:
        # Somebody changed this one meanwhile: what the list says is no longer so.
        await session.execute(
            text(
                "UPDATE customer SET level = CASE level WHEN 'gold' THEN 'silver' ELSE 'gold' END WHERE id = :id"
            ),
            {"id": moved},
        )
    changed_by_hand = (await levels(city))[moved]
    approved = await act(city, second, review, "approve")
    assert approved.status_code == 202, approved.text
    assert await levels(city) == {**before, moved: changed_by_hand}, "nothing before the work"
    city.clock.advance(timedelta(minutes=1))
    assert await city.run_work("apply-level-review")
    done = (await city.client.get(f"/level-reviews/{review['id']}", headers=second)).json()
    assert (done["state"], done["applied_count"], done["skipped_count"]) == (
        *("applied", len(differing) - 2),
        1,
    )
    expected = {
        who: found[who][0] if who in differing - {kept, moved} else before[who] for who in before
    }
    assert await levels(city) == {**expected, moved: changed_by_hand}
    await told(city, second, review, differing - {kept, moved}, before, found)


async def told(
    city: TestNode, headers: Headers, review: Any, applied: set[UUID], before: Any, found: Any
) -> None:
    """History, statistics and the audit log tell of every change, and of nothing else."""
    async with city.database.transaction() as session:
        changes = await session.execute(
            text("SELECT customer_id, changes, by FROM customer_change WHERE cause_id = :id"),
            {"id": review["id"]},
        )
        kept = {row[0]: row[1] for row in changes}
        assert kept == {
            who: [{"field": "level", "old": before[who], "new": found[who][0]}] for who in applied
        }
        moves = await session.execute(
            text(
                "SELECT customer_id, from_level, to_level FROM level_migration WHERE cause_id = :id"
            ),
            {"id": review["id"]},
        )
        assert {tuple(row) for row in moves} == {
            (who, before[who], found[who][0]) for who in applied
        }
        audited = await session.scalar(
            text(
                "SELECT detail ->> 'applied' FROM audit_record WHERE action = 'level-review.applied'"
            )
        )
        assert audited == str(len(applied))
    counted = await city.client.get("/level-migrations?from=2026-11-01", headers=headers)
    assert sum(item["customers"] for item in counted.json()["items"]) == len(applied)
    await evaluator(city, LEVEL).evaluate_changed()
    result, present = await held(city, LEVEL), await levels(city)
    assert all(result[who][0] == present[who] for who in applied)


async def test_an_interrupted_review_goes_on_where_it_was(
    evaluated: TestNode, supervisor: Headers, second: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = evaluated
    monkeypatch.setattr(reviewing, "PORTION", 4)
    review = await review_of(city, supervisor)
    review = (await act(city, second, review, "approve")).json()
    portions = 0
    whole = reviewing._apply_portion

    async def twice(*given: Any) -> int:
        nonlocal portions
        portions += 1
        if portions == 3:
            raise asyncio.CancelledError
        return await whole(*given)

    monkeypatch.setattr(reviewing, "_apply_portion", twice)
    with pytest.raises(asyncio.CancelledError):
        await city.run_work("apply-level-review")
    half = (await city.client.get(f"/level-reviews/{review['id']}", headers=second)).json()
    assert (half["state"], half["applied_count"]) == ("approved", 8)
    assert await city.run_work("apply-level-review")
    done = (await city.client.get(f"/level-reviews/{review['id']}", headers=second)).json()
    assert (done["state"], done["applied_count"]) == ("applied", review["line_count"])
    async with city.database.transaction() as session:
        twice_changed = await session.scalar(
            text(
                "SELECT count(*) FROM (SELECT customer_id FROM customer_change WHERE cause_id = :id"
                " GROUP BY customer_id HAVING count(*) > 1) t"
            ),
            {"id": review["id"]},
        )
    assert twice_changed == 0


async def test_a_unit_has_one_open_review_of_its_own_customers(
    evaluated: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    city = evaluated
    team = await sign_in(city, Role.SUPERVISOR, TEAM)
    review = await review_of(city, team)
    refused = await city.client.post("/level-reviews", json={}, headers=once(team, "another"))
    assert refused.json()["type"].endswith("review-open")
    page = await city.client.get(f"/level-reviews/{review['id']}/lines?limit=500", headers=team)
    assert {item["unit_code"][:9] for item in page.json()["items"]} == {TEAM}
    beyond = await city.client.post(
        "/level-reviews", json={"unit_code": "440300"}, headers=once(team, "beyond")
    )
    assert beyond.status_code == 422
    stranger = str(UUID(int=5))
    unknown = await act(city, team, review, "leave-out", customers=[stranger], reason="x")
    assert unknown.json()["type"].endswith("not-on-the-review")
    assert (await act(city, team, review, "discard")).json()["state"] == "discarded"
    whole = await review_of(city, supervisor)
    other = await city.client.get(f"/level-reviews/{whole['id']}", headers=team)
    assert other.status_code == 404


async def test_a_review_needs_results(city: TestNode, supervisor: Headers) -> None:
    refused = await city.client.post("/level-reviews", json={}, headers=once(supervisor, "early"))
    assert refused.json()["type"].endswith("levels-not-evaluated")


async def test_a_level_that_staff_change_is_kept_for_the_grace_and_counted(
    city: TestNode, supervisor: Headers, second: Headers
) -> None:
    customer = await settle(city, supervisor, level="standard")
    await evaluator(city, LEVEL).evaluate_city()
    patched = await city.client.patch(
        f"/customers/{customer['id']}", json={"level": "gold"}, headers=fresh(supervisor, customer)
    )
    assert patched.status_code == 202, "the level is a sensitive field still"
    proposal = patched.headers["location"]
    approved = await city.client.post(f"{proposal}/approve", headers={**second, "If-Match": '"1"'})
    assert approved.status_code == 200, approved.text
    await evaluator(city, LEVEL).evaluate_changed()
    result = (await held(city, LEVEL))[UUID(customer["id"])]
    assert result[:2] == ("gold", "standard")
    counted = await city.client.get("/level-migrations", headers=supervisor)
    assert counted.json()["items"] == [
        {"month": "2026-11-01", "from_level": "standard", "to_level": "gold", "customers": 1}
    ]
