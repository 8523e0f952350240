"""Closing, reopening and restating a month at HQ, a province and its cities."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from shared.capability import Role
from tests.conftest import Nation
from tests.reporting.saying import (
    NOVEMBER,
    Headers,
    ask,
    close,
    decide,
    in_force,
    in_force_everywhere,
    order,
    say,
    say_all,
)
from tests.statistics.disclosure_policy import set_threshold

SignIn = Callable[..., Awaitable[Headers]]
CITY = "440300"


async def two_of_hq(four: Nation, sign_in: SignIn) -> tuple[Headers, Headers]:
    hq = four["000000"]
    return await sign_in(hq, Role.HQ_ANALYST), await sign_in(hq, Role.HQ_ANALYST)


async def test_a_month_is_closed_by_two_persons_of_hq_once_it_is_over_and_whole(
    four: Nation, sign_in: SignIn
) -> None:
    hq, (one, other) = four["000000"], await two_of_hq(four, sign_in)

    async def propose(month: str, body: dict[str, str], who: Headers = one) -> tuple[int, str]:
        answer = await order(hq, f"periods/{month}/close", who, body)
        return answer.status_code, answer.json().get("type", "").rpartition(":")[2]

    assert await propose("2026-11-23", {}) == (422, "month-needed")
    assert await propose("2026-12", {}) == (409, "reporting-month-not-over")
    assert await propose(NOVEMBER, {}) == (409, "slices-missing")
    coordinator = await sign_in(four["440000"], Role.PROVINCE_COORDINATOR)
    elsewhere = await order(four["440000"], f"periods/{NOVEMBER}/close", coordinator, {})
    assert elsewhere.status_code == 403

    made = await order(hq, f"periods/{NOVEMBER}/close", one, {"reason": "the books are due"})
    assert made.status_code == 201, made.text
    assert await propose(NOVEMBER, {}, other) == (409, "proposal-open")
    same = await order(hq, f"periods/{NOVEMBER}/approve", one, {}, made.headers["etag"])
    assert (same.status_code, same.json()["type"]) == (
        403,
        "urn:guanxi:problem:second-person-needed",
    )
    assert (await order(hq, f"periods/{NOVEMBER}/approve", other, {}, '"9"')).status_code == 412
    why = {"reason": "two cities are dark"}
    no = await order(hq, f"periods/{NOVEMBER}/reject", other, why, made.headers["etag"])
    assert (no.status_code, no.json()["state"]) == (200, "rejected")
    assert (await ask(hq, f"periods/{NOVEMBER}", one))["state"] == "open"

    await decide(hq, one, other, "close", NOVEMBER)
    assert await propose(NOVEMBER, {"reason": "again"}) == (409, "reporting-month-closed")
    found = await ask(hq, f"periods/{NOVEMBER}", one)
    assert (found["state"], found["number"], found["reason"]) == ("closed", 1, "the books are due")
    audited = await hq.client.get(
        "/audit/records",
        params={"subject_type": "statistics_month"},
        headers=await sign_in(hq, Role.AUDITOR),
    )
    assert [each["action"] for each in audited.json()["items"]][:1] == ["statistics_month.closed"]


async def test_a_tag_of_one_proposal_decides_no_later_one(four: Nation, sign_in: SignIn) -> None:
    hq, (one, other) = four["000000"], await two_of_hq(four, sign_in)
    path = f"periods/{NOVEMBER}"
    first = await order(hq, f"{path}/close", one, {"reason": "the books are due"})
    seen = first.headers["etag"]
    no = await order(hq, f"{path}/reject", other, {"reason": "two cities are dark"}, seen)
    assert no.status_code == 200

    second = await order(hq, f"{path}/close", one, {"reason": "nobody has read this"})
    unseen = await order(hq, f"{path}/approve", other, {}, seen)
    assert (unseen.status_code, (await ask(hq, path, one))["state"]) == (412, "open")
    done = await order(hq, f"{path}/approve", other, {}, second.headers["etag"])
    assert (done.status_code, (await ask(hq, path, one))["state"]) == (200, "closed")


async def test_who_proposed_takes_it_back_and_nobody_else(four: Nation, sign_in: SignIn) -> None:
    hq, (one, other) = four["000000"], await two_of_hq(four, sign_in)
    path = f"periods/{NOVEMBER}"
    none = await order(hq, f"{path}/withdraw", one, {}, '"1"')
    made = await order(hq, f"{path}/close", one, {"reason": "the books are due"})
    tag = made.headers["etag"]

    unnamed = await order(hq, f"{path}/withdraw", one, {})
    stale = await order(hq, f"{path}/withdraw", one, {}, '"9"')
    foreign = await order(hq, f"{path}/withdraw", {**other, "Accept-Language": "zh"}, {}, tag)
    auditor = await order(hq, f"{path}/withdraw", await sign_in(hq, Role.AUDITOR), {}, tag)
    assert [x.status_code for x in (none, unnamed, stale, foreign, auditor)] == [
        *(404, 428, 412, 403, 403),
    ]
    assert foreign.json()["type"] == "urn:guanxi:problem:proposal-of-another"
    assert "仅申请人可撤回" in foreign.json()["detail"]

    done = await order(hq, f"{path}/withdraw", one, {"reason": "too early"}, tag)
    assert done.status_code == 200, done.text
    told = done.json()
    assert (told["state"], told["decision_reason"]) == ("rejected", "too early")
    assert told["decided_by"] == told["proposed_by"]
    assert (await ask(hq, path, one))["proposal"] is None
    assert (await order(hq, f"{path}/approve", other, {}, tag)).status_code == 404
    audited = await hq.client.get(
        "/audit/records",
        params={"subject_type": "statistics_month"},
        headers=await sign_in(hq, Role.AUDITOR),
    )
    assert [each["action"] for each in audited.json()["items"]] == [
        "statistics_month.withdrawn",
        "statistics_month.proposed",
    ]
    await decide(hq, other, one, "close", NOVEMBER)


@pytest.mark.parametrize("reason", ["   ", "\n", "a\x00b", "x" * 501])
async def test_a_reason_says_something(four: Nation, sign_in: SignIn, reason: str) -> None:
    hq, (one, _) = four["000000"], await two_of_hq(four, sign_in)

    refused = await order(hq, f"periods/{NOVEMBER}/close", one, {"reason": reason})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/reason")
    assert (await ask(hq, f"periods/{NOVEMBER}", one))["proposal"] is None


async def test_what_is_proposed_and_decided_is_told_in_the_readers_language(
    four: Nation, sign_in: SignIn
) -> None:
    hq, (one, other) = four["000000"], await two_of_hq(four, sign_in)
    path = f"periods/{NOVEMBER}/close"
    await order(hq, path, one, {"reason": "the books are due"})

    again = await order(hq, path, {**other, "Accept-Language": "zh"}, {"reason": "x"})

    assert "close" not in again.json()["detail"]
    assert "结账" in again.json()["detail"]
    wrong = await order(hq, "periods/soon/close", one, {})
    assert wrong.json()["errors"][0]["pointer"] == "path:period"
    for name in ("restatements", "slices"):
        none = await hq.client.get(f"/statistics/{name}", params={"period": "soon"}, headers=one)
        assert (none.status_code, none.json()["errors"][0]["pointer"]) == (422, "query:period")


async def test_a_whole_month_needs_no_reason(four: Nation, sign_in: SignIn) -> None:
    hq, (one, other) = four["000000"], await two_of_hq(four, sign_in)
    days = [f"2026-11-{day}" for day in range(23, 31)]
    for code in ("440100", CITY):
        for period in (NOVEMBER, *days):
            await say_all(four[code], period)
    await four.settle()
    board = await ask(hq, "board", one, period=NOVEMBER, slices=False)
    assert all(row["missing"] == 0 and row["on_time"] == 2 for row in board["summary"])

    made = await order(hq, f"periods/{NOVEMBER}/close", one, {})
    assert made.status_code == 201, made.text
    done = await order(hq, f"periods/{NOVEMBER}/approve", other, {}, made.headers["etag"])
    assert done.status_code == 200, done.text
    board = await ask(hq, "board", one, period=NOVEMBER, slices=False)
    assert all(row["final"] == 2 for row in board["summary"])


async def test_after_the_close_a_revision_waits_everywhere_until_it_is_approved(
    four: Nation, sign_in: SignIn
) -> None:
    await say(four[CITY], 5)
    await four.settle()
    await close(four, *await two_of_hq(four, sign_in))
    four.clock.advance(timedelta(hours=1))
    before = four.clock.now()
    four.clock.advance(timedelta(hours=1))
    coordinator = await sign_in(four["440000"], Role.PROVINCE_COORDINATOR)
    supervisor = await sign_in(four[CITY], Role.SUPERVISOR)
    analyst = await sign_in(four["000000"], Role.HQ_ANALYST)

    await say(four[CITY], 7, 2)
    await four.settle()

    assert await in_force_everywhere(four, CITY) == {1}
    for code, who in ((CITY, supervisor), ("440000", coordinator), ("000000", analyst)):
        (waiting,) = (await ask(four[code], "restatements", who, state="pending"))["items"]
        assert (waiting["revision"], waiting["in_force"]["revision"]) == (2, 1)
        assert waiting["reason"] == "late data"
        board = await ask(four[code], "board", who, period=NOVEMBER, state="pending")
        assert [(each["node"], each["pending"]) for each in board["slices"]] == [(CITY, 2)]

    path = f"restatements/{waiting['id']}/approve"
    mine = (await ask(four["440000"], "restatements", coordinator))["items"][0]["id"]
    approved = await order(four["440000"], f"restatements/{mine}/approve", coordinator, {})
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    again = await order(four["440000"], f"restatements/{mine}/approve", coordinator, {})
    assert again.status_code == 409
    assert await in_force(four["440000"], CITY) == 2
    assert await in_force(four[CITY], CITY) == 1
    four.clock.advance(timedelta(minutes=1))
    await four.settle()

    assert await in_force_everywhere(four, CITY) == {2}
    late = await order(four["000000"], path, analyst, {})
    assert late.status_code == 200, "HQ may have the last word"
    for code, who in ((CITY, supervisor), ("440000", coordinator), ("000000", analyst)):
        question = {"indicator": "customers", "period": NOVEMBER}
        now = await ask(four[code], "values", who, **question)
        then = await ask(four[code], "values", who, **question, as_known_at=before.isoformat())
        assert [each["rows"][0]["values"]["customers"] for each in (then, now)] == [5, 7]


async def test_a_rejected_restatement_stays_out_and_the_city_sees_why(
    four: Nation, sign_in: SignIn
) -> None:
    hq, supervisor = four["000000"], await sign_in(four[CITY], Role.SUPERVISOR)
    await say(four[CITY], 5)
    await four.settle()
    await close(four, *await two_of_hq(four, sign_in))
    await say(four[CITY], 7, 2)
    await four.settle()

    analyst = await sign_in(hq, Role.HQ_ANALYST)
    (waiting,) = (await ask(hq, "restatements", analyst))["items"]
    path = f"restatements/{waiting['id']}/reject"
    assert (await order(hq, path, analyst, {})).status_code == 422
    rejected = await order(hq, path, analyst, {"reason": "counted twice"})
    assert rejected.status_code == 200, rejected.text
    await four.settle()

    assert await in_force_everywhere(four, CITY) == {1}
    (seen,) = (await ask(four[CITY], "restatements", supervisor))["items"]
    assert (seen["state"], seen["decision_reason"]) == ("rejected", "counted twice")
    own = (await ask(four[CITY], "restatements", supervisor))["items"][0]["id"]
    assert (
        await order(four[CITY], f"restatements/{own}/approve", supervisor, {})
    ).status_code == 403


async def test_totals_of_restatements_are_the_citys_alone_where_small_cells_are_withheld(
    four: Nation, sign_in: SignIn
) -> None:
    await say(four[CITY], 5)
    await four.settle()
    await close(four, *await two_of_hq(four, sign_in))
    await say(four[CITY], 7, 2)
    await set_threshold(four["000000"], sign_in, 10)
    await four.settle()
    roles = {"000000": Role.HQ_ANALYST, "440000": Role.PROVINCE_COORDINATOR, CITY: Role.SUPERVISOR}
    told = {}
    for code, role in roles.items():
        headers = await sign_in(four[code], role)
        (waiting,) = (await ask(four[code], "restatements", headers))["items"]
        told[code] = (waiting["control_totals"], waiting["in_force"]["control_totals"])
    assert told["000000"] == told["440000"] == (None, None)
    assert [each["customers"] for each in told[CITY]] == [7, 5]


async def test_a_city_that_was_away_hears_of_the_close_after_it_has_said_more(
    four: Nation, sign_in: SignIn
) -> None:
    await say(four[CITY], 5)
    await four.settle()
    four.network.cut.add("440000")  # what the cities dial
    await say(four[CITY], 6, 2)
    await decide(four["000000"], *await two_of_hq(four, sign_in), "close", NOVEMBER)
    four.clock.advance(timedelta(days=6))
    await say(four[CITY], 7, 3)
    assert await in_force(four[CITY], CITY) == 3

    four.network.cut.clear()
    await four.settle()

    assert await in_force_everywhere(four, CITY) == {1}
    await decide(four["000000"], *await two_of_hq(four, sign_in), "reopen", NOVEMBER)
    await four.settle()
    assert await in_force_everywhere(four, CITY) == {3}


async def test_a_city_that_joined_after_the_close_is_told(four: Nation, sign_in: SignIn) -> None:
    await close(four, *await two_of_hq(four, sign_in))
    async with four["000000"].database.transaction() as session:
        await session.execute(text("DELETE FROM reporting_statement WHERE node = '440300'"))
        await session.execute(text("DELETE FROM statistics_limit WHERE node = '440300'"))
    await four["000000"].run_job("reporting-compare")
    await four.settle()
    await say(four[CITY], 5)
    await four.settle()
    assert await in_force_everywhere(four, CITY) == {None}
