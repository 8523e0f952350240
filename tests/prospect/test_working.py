"""Working on prospects: their life, their plan, and two who act at once."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from shared.capability import Role
from tests.city.drafts import Headers, SignIn
from tests.conftest import TestNode
from tests.prospect.acting import act, done, found, search, set_level, with_bills

USE = {"operator": "中国联通", "category": "broadband", "monthly_fee_fen": 12_000, "expires_on": "2027-01-31"}  # fmt: skip


async def test_a_prospect_is_worked_on_until_the_level_is_reached(
    city: TestNode, manager: Headers, customer: dict[str, Any], sign_in: SignIn
) -> None:
    prospect = await found(city, manager, customer)
    assert (prospect["state"], prospect["target"], prospect["signals"]) == ("found", "silver", ["near"])  # fmt: skip
    assert prospect["explanation"] == {
        "en": "Prospect for Silver: mean monthly spend over 2026-05..2026-10 is 280.00 yuan, "
        "93 % of the 300.00 that Silver takes.",
        "zh": "潜在银卡客户：2026-05..2026-10 月均消费 280.00 元，达到银卡标准 300.00 元的 93%。",
    }
    assert (await act(city, manager, prospect, "nurture")).status_code == 409
    prospect = await done(city, manager, prospect, "qualify", note="企业主，扩张中")
    prospect = await done(city, manager, prospect, "nurture")
    codes = [step["code"] for step in prospect["steps"]]
    assert codes == ["contact", "propose", "follow-up", "review"], (
        "no offer in a competitor's place"
    )
    assert prospect["next_due_on"] == "2026-11-30"

    prospect = await done(city, manager, prospect, "steps/1/complete", outcome="succeeded", note="已面谈")  # fmt: skip
    assert (prospect["next_due_on"], prospect["steps"][0]["note"]) == ("2026-12-14", "已面谈")
    assert prospect["steps"][0]["done_by"]
    again = await act(city, manager, prospect, "steps/1/complete", outcome="failed")
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == (409, "step-done")
    assert (
        await act(city, manager, prospect, "steps/9/complete", outcome="failed")
    ).status_code == 404

    city.clock.advance(timedelta(days=12))
    manager = await sign_in(city, Role.ACCOUNT_MANAGER)
    await set_level(city, customer, "silver")
    assert await found(city, manager, customer) is None
    answer = await city.client.get(f"/prospects/{prospect['id']}", headers=manager)
    assert (answer.json()["state"], answer.json()["next_due_on"]) == ("converted", None)
    history = await city.client.get(f"/prospects/{prospect['id']}/history", headers=manager)
    told = [(item["act"], item["to_state"], item["days"]) for item in history.json()["items"]]
    assert told == [
        ("convert", "converted", 12),
        ("step", "nurtured", None),
        ("nurture", "nurtured", None),
        ("qualify", "qualified", None),
        ("find", "found", None),
    ]
    first = history.json()["items"][-1]
    assert (first["policy"], first["used"]["mean_fen"]) == (
        "prospect default; level default",
        28_000,
    )


async def test_a_growing_customer_and_a_competitors_are_found_and_explained(
    city: TestNode, supervisor: Headers
) -> None:
    growing = await with_bills(city, supervisor, 10_000, step=2_000)
    prospect = await found(city, supervisor, growing)
    assert prospect["signals"] == ["growing"]
    assert "grew by 20.00 yuan a month over the last 6 months" in prospect["explanation"]["en"]
    assert "5 个月后达到 300.00 元" in prospect["explanation"]["zh"]

    theirs = await with_bills(city, supervisor, 20_000, running=2)
    assert await found(city, supervisor, theirs) is None
    answer = await city.client.post(
        f"/customers/{theirs['id']}/competitor-use",
        json=USE,
        headers={**supervisor, "Idempotency-Key": "use"},
    )
    assert answer.status_code == 201, answer.text
    prospect = await found(city, supervisor, theirs)
    assert prospect["signals"] == ["competitor"]
    assert "120.00 yuan a month go to 中国联通" in prospect["explanation"]["en"]
    assert "2027-01-31 到期" in prospect["explanation"]["zh"]
    prospect = await done(city, supervisor, prospect, "qualify")
    prospect = await done(city, supervisor, prospect, "nurture")
    assert "counter-offer" in [step["code"] for step in prospect["steps"]]


async def test_how_a_customer_stands_says_why_not(
    city: TestNode, supervisor: Headers, clerk: Headers
) -> None:
    for running, given, why in (
        (1, {"charge": 5_000}, "is not near Silver"),
        (2, {"charge": 300_000, "level": "diamond"}, "highest level"),
    ):
        customer = await with_bills(city, supervisor, running=running, **given)
        answer = await city.client.get(f"/customers/{customer['id']}/prospect", headers=clerk)
        now = answer.json()["now"]
        assert (answer.json()["prospect"], now["is_prospect"]) == (None, False)
        assert why in now["explanation"]["en"]
        assert bool(now["next"]) is (running == 1)


async def test_who_refuses_marketing_is_not_found(
    city: TestNode, supervisor: Headers, customer: dict[str, Any]
) -> None:
    wish = await city.client.post(
        f"/customers/{customer['id']}/preferences",
        json={"topic": "marketing", "value": "refused"},
        headers={**supervisor, "Idempotency-Key": "wish"},
    )
    assert wish.status_code == 201
    assert await found(city, supervisor, customer) is None
    answer = await city.client.get(f"/customers/{customer['id']}/prospect", headers=supervisor)
    assert "refuses marketing" in answer.json()["now"]["explanation"]["en"]


async def test_who_is_disqualified_needs_a_reason_rests_and_can_be_taken_up_again(
    city: TestNode, manager: Headers, customer: dict[str, Any]
) -> None:
    prospect = await found(city, manager, customer)
    assert (await act(city, manager, prospect, "disqualify")).status_code == 422
    assert (await act(city, manager, prospect, "disqualify", ending="left")).status_code == 422
    prospect = await done(city, manager, prospect, "disqualify", ending="one_off", note="装修期间")
    assert (prospect["state"], prospect["ending"], prospect["note"]) == ("disqualified", "one_off", "装修期间")  # fmt: skip
    assert await found(city, manager, customer) is None
    prospect = await done(city, manager, prospect, "reopen")
    assert (prospect["state"], prospect["ending"], prospect["closed_at"]) == ("qualified", None, None)  # fmt: skip
    prospect = await done(city, manager, prospect, "nurture")
    prospect = await done(city, manager, prospect, "drop", ending="not_interested")
    prospect = await done(city, manager, prospect, "reopen")
    assert prospect["steps"] == [], "a plan begins anew"
    refused = await act(city, manager, prospect, "reopen")
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "prospect-state-unfit")  # fmt: skip


async def test_a_prospect_is_not_taken_up_again_beside_another(
    city: TestNode, manager: Headers, customer: dict[str, Any]
) -> None:
    old = await found(city, manager, customer)
    old = await done(city, manager, old, "disqualify", ending="other")
    async with city.database.transaction() as session:
        await session.execute(text("UPDATE prospect SET found_at = '2025-01-01', closed_at = '2025-02-01'"))  # fmt: skip
    new = await found(city, manager, customer)
    refused = await act(city, manager, old, "reopen")
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (
        409,
        "prospect-open",
    )
    assert new["id"] in refused.json()["detail"]


async def test_of_two_who_qualify_one_at_once_one_is_told(
    city: TestNode, manager: Headers, supervisor: Headers, customer: dict[str, Any]
) -> None:
    prospect = await found(city, manager, customer)
    answers = await asyncio.gather(
        act(city, manager, prospect, "qualify"),
        act(city, supervisor, prospect, "disqualify", ending="one_off"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    (loser,) = [answer for answer in answers if answer.status_code == 412]
    assert loser.json()["type"].endswith("version-stale")
    history = await city.client.get(f"/prospects/{prospect['id']}/history", headers=manager)
    assert len(history.json()["items"]) == 2


async def test_a_search_and_somebody_who_qualifies_do_not_undo_one_another(
    city: TestNode, manager: Headers, customer: dict[str, Any]
) -> None:
    prospect = await found(city, manager, customer)
    async with city.database.transaction() as session:
        await session.execute(text("UPDATE bill SET charge_fen = 0"))
    answer, searched = await asyncio.gather(act(city, manager, prospect, "qualify"), search(city))
    shown = (await city.client.get(f"/prospects/{prospect['id']}", headers=manager)).json()
    if answer.status_code == 200:
        assert (shown["state"], searched.lapsed) == ("qualified", 0)
    else:
        assert (answer.status_code, shown["state"], searched.lapsed) == (412, "lapsed", 1)
