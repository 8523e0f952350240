"""From a draft to a version at one node: checked, by two people, and recorded."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from shared.audit.models import AuditRecord
from shared.capability import Role
from tests.policy.conftest import LATER, Office, SignIn
from tests.policy.thresholds import DEFAULT, gold, national

PROBLEM = "urn:guanxi:problem:"


def places(answer: Any) -> dict[str, str]:
    return {each["pointer"]: each["detail"] for each in answer.json()["errors"]}


async def test_what_ships_is_in_force_until_something_is_published(hq: Office) -> None:
    found = await hq.get("")
    assert (found["reference"], found["effective_from"]) == ("thresholds default", None)
    assert found["document"] == DEFAULT
    await hq.publish(national(window_months=12), note="longer")
    assert await hq.in_force() == "thresholds 1"
    assert await hq.in_force(on="2026-11-30") == "thresholds default"
    (layer,) = (await hq.get("", on=LATER))["layers"]
    assert (layer["publisher"], layer["number"], layer["status"]) == ("000000", 1, "in_force")
    assert layer["published_by"].startswith("hq_analyst")


async def test_versions_are_numbered_densely_and_told_whole(hq: Office) -> None:
    for months in (1, 2, 3):
        await hq.publish(national(window_months=months))
    assert await hq.in_force() == "thresholds 3"
    listed = (await hq.get("/versions", sort="-number"))["items"]
    assert [each["number"] for each in listed] == [3, 2, 1]
    one = await hq.get("/versions/000000/2")
    assert one["document"]["window_months"] == 2
    assert '"window_months":2' in one["content"]
    assert one["bounds"][0] == {
        "pointer": "/gold/from_fen", "minimum": 50_000, "maximum": 100_000, "one_of": None,
    }  # fmt: skip


async def test_only_a_second_person_publishes(hq: Office) -> None:
    draft = await hq.draft(national(window_months=12))
    alone = await hq.node.client.post(
        "/policies/thresholds/versions",
        json={"draft": draft.json()["id"]},
        headers=hq.once(hq.one, **{"If-Match": draft.headers["etag"]}),
    )
    assert (alone.status_code, alone.json()["type"]) == (403, PROBLEM + "second-person-needed")
    assert (await hq.approve(draft)).status_code == 201
    again = await hq.approve(draft)
    assert again.status_code == 412
    after = await hq.get(f"/drafts/{draft.json()['id']}")
    assert (after["state"], after["number"], after["version"]) == ("published", 1, 2)


async def test_repeating_a_request_publishes_once(hq: Office) -> None:
    draft = await hq.draft(national(window_months=12))
    headers = hq.once(hq.two, **{"If-Match": draft.headers["etag"]})
    body = {"draft": draft.json()["id"]}
    answers = [
        await hq.node.client.post("/policies/thresholds/versions", json=body, headers=headers)
        for _ in range(2)
    ]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert len((await hq.get("/versions"))["items"]) == 1


async def test_a_draft_is_changed_by_its_drafter_against_its_etag_and_rejected_by_another(
    hq: Office,
) -> None:
    draft = await hq.draft(national(window_months=12))
    path = f"/policies/thresholds/drafts/{draft.json()['id']}"
    body = {"document": national(window_months=9), "effective_from": LATER}
    client, etag = hq.node.client, {"If-Match": draft.headers["etag"]}
    assert (await client.put(path, json=body, headers=hq.one)).status_code == 428
    assert (await client.put(path, json=body, headers=hq.two | etag)).status_code == 403
    changed = await client.put(path, json=body, headers=hq.one | etag)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (await client.put(path, json=body, headers=hq.one | etag)).status_code == 412
    etag = {"If-Match": '"2"'}
    reason = {"reason": "too short"}
    own = await client.post(f"{path}/reject", json=reason, headers=hq.one | etag)
    assert own.status_code == 403
    rejected = await client.post(f"{path}/reject", json=reason, headers=hq.two | etag)
    assert (rejected.json()["state"], rejected.json()["reason"]) == ("rejected", "too short")
    late = await client.post(f"{path}/withdraw", headers=hq.one | {"If-Match": '"3"'})
    assert (late.status_code, late.json()["type"]) == (409, PROBLEM + "draft-decided")
    hq.two["Accept-Language"] = "zh"
    again = await client.post(f"{path}/reject", json=reason, headers=hq.two | {"If-Match": '"3"'})
    assert again.json()["detail"] == "该草案状态为 已驳回：请另拟草案。"
    assert await hq.in_force() == "thresholds default"


async def test_a_drafter_takes_a_draft_back(hq: Office) -> None:
    draft = await hq.draft(national(window_months=12))
    path = f"/policies/thresholds/drafts/{draft.json()['id']}/withdraw"
    etag = {"If-Match": draft.headers["etag"]}
    assert (await hq.node.client.post(path, headers=hq.two | etag)).status_code == 403
    taken = await hq.node.client.post(path, headers=hq.one | etag)
    assert (taken.status_code, taken.json()["state"]) == (200, "withdrawn")
    assert [d["state"] for d in (await hq.get("/drafts", state="withdrawn"))["items"]] == [
        "withdrawn"
    ]


async def test_what_is_wrong_in_a_document_is_pointed_at(hq: Office) -> None:
    wrong: dict[str, Any] = {
        "gold": {"from_fen": "70000"},
        "silver": {"from_fen": -1, "name": "silver"},
        "window_months": 25,
        "mode": "best",
        "campaigns": [{"name": "spring", "permille": 1.5}],
        "platinum": 1,
    }
    answer = await hq.draft(wrong)
    assert (answer.status_code, answer.json()["type"]) == (422, PROBLEM + "policy-invalid")
    assert places(answer) == {
        "/document/gold/from_fen": "must be a whole number",
        "/document/gold/name": "this field is missing",
        "/document/silver/from_fen": "must be at least 0",
        "/document/window_months": "must be at most 24",
        "/document/mode": "must be 'mean', 'median' or 'last'",
        "/document/campaigns/0/permille": "must be a whole number",
        "/document/platinum": "there is no such field",
    }
    hq.one["Accept-Language"] = "zh"
    answer = await hq.draft(wrong)
    assert places(answer)["/document/platinum"] == "没有此字段"
    assert places(answer)["/document/window_months"] == "不得大于 24"
    assert answer.json()["title"] == "政策无效"


async def test_a_rule_between_fields_is_pointed_at(hq: Office) -> None:
    answer = await hq.draft(national(silver={"from_fen": 80_000, "name": "silver"}))
    assert places(answer) == {"/document/silver/from_fen": "must be below gold's 70000"}
    hq.one["Accept-Language"] = "zh"
    answer = await hq.draft(national(silver={"from_fen": 80_000, "name": "silver"}))
    assert places(answer) == {"/document/silver/from_fen": "必须低于金级的 70000"}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"gold": 10**30},
        {"gold": "\x00"},
        {"gold": {"deep": "x" * 120_000}},
        orjson.loads('{"gold":' * 300 + "1" + "}" * 300),
    ],
    ids=["list", "large", "nul", "long", "deep"],
)
async def test_what_cannot_be_kept_is_refused(hq: Office, document: Any) -> None:
    answer = await hq.draft(document)
    assert answer.status_code == 422
    assert set(places(answer)) == {"/document"}
    assert "Recursion" not in answer.text


async def test_an_override_outside_the_bounds_is_refused_with_limit_and_value(
    city: Office,
) -> None:
    answer = await city.draft({**gold(49_999), "mode": "last", "window_months": 7})
    assert (answer.status_code, answer.json()["type"]) == (422, PROBLEM + "policy-outside-bounds")
    assert places(answer) == {
        "/document/gold/from_fen": "must be at least 50000, given is 49999",
        "/document/mode": 'must be one of mean, median, given is "last"',
        "/document/window_months": "HQ alone sets this: the national value is 6, given is 7",
    }
    assert (await city.draft(gold(50_000))).status_code == 201


async def test_a_first_day_that_is_over_has_to_be_meant_and_explained(hq: Office) -> None:
    document, day = national(window_months=12), "2026-11-01"
    assert set(places(await hq.draft(document, day))) == {"/effective_from"}
    assert set(places(await hq.draft(document, day, retroactive=True))) == {"/note"}
    await hq.publish(document, day, retroactive=True, note="circular 7 of 1 November")
    assert await hq.in_force(on=day) == "thresholds 1"
    assert (await hq.draft(document, "2026-11-23")).status_code == 201


async def test_a_draft_whose_first_day_passed_before_it_was_published_is_refused(
    hq: Office, sign_in: SignIn
) -> None:
    draft = await hq.draft(national(window_months=12), "2026-11-23")
    hq.node.clock.advance(timedelta(hours=13))
    hq.two = await sign_in(hq.node, Role.HQ_ANALYST)
    late = await hq.approve(draft)
    assert late.status_code == 422
    assert "2026-11-24" in places(late)["/effective_from"]


async def test_bounds_are_hqs_to_set(hq: Office, city: Office) -> None:
    bounds: list[dict[str, Any]] = [
        {"pointer": "gold"},
        {"pointer": "/mode", "one_of": ["mean"]},
        {"pointer": "/mode"},
        {"pointer": "/gold/from_fen", "minimum": 2, "maximum": 1},
    ]
    assert places(await hq.draft(DEFAULT, bounds=bounds)) == {
        "/bounds/0/pointer": "must be a JSON pointer such as /gold/from_fen",
        "/bounds/2/pointer": "this pointer has a bound already",
        "/bounds/3/minimum": "no value is between 2 and 1",
    }
    answer = await city.draft(gold(60_000), bounds=[])
    assert places(answer) == {"/bounds": "only HQ sets bounds; an override has none"}
    await hq.publish(DEFAULT, bounds=[])
    assert (await hq.get("", on=LATER))["bounds"] == []


async def test_a_withdrawn_version_is_out_of_force_and_remembered(hq: Office) -> None:
    await hq.publish(national(window_months=1))
    await hq.publish(national(window_months=2))
    answer = await hq.withdraw(2, "wrong window")
    assert (answer.status_code, answer.json()["withdrawn_because"]) == (200, "wrong window")
    assert await hq.in_force() == "thresholds 1"
    states = {each["number"]: each["state"] for each in (await hq.get("/versions"))["items"]}
    assert states == {1: "published", 2: "withdrawn"}
    assert [v["number"] for v in (await hq.get("/versions", state="withdrawn"))["items"]] == [2]
    again = await hq.withdraw(2)
    assert (again.status_code, again.json()["type"]) == (409, PROBLEM + "version-withdrawn")
    assert (await hq.withdraw(9)).status_code == 404
    assert (await hq.publish(national(window_months=3)))["number"] == 3


async def test_a_preview_says_what_would_change(city: Office) -> None:
    draft = (await city.draft({**gold(60_000), "campaigns": [{"name": "a", "permille": 9}]})).json()
    found = await city.get(f"/drafts/{draft['id']}/preview")
    assert found["in_force"]["reference"] == "thresholds default + 440300:draft"
    assert found["differences"] == [
        {"pointer": "/gold/from_fen", "change": "changed", "before": 70_000, "after": 60_000},
        {
            "pointer": "/campaigns/0",
            "change": "added",
            "before": None,
            "after": {"name": "a", "permille": 9},
        },
    ]
    assert (found["sets_aside"], found["set_aside_from"]) == ([], None)


async def test_who_may_do_what(city: Office, sign_in: SignIn) -> None:
    clerk = await sign_in(city.node, Role.CLERK)
    body = {"document": gold(60_000), "effective_from": LATER}
    client = city.node.client
    assert (await client.get("/policies/thresholds")).status_code == 401
    assert (await client.get("/policies/thresholds", headers=clerk)).status_code == 200
    refused = await client.post("/policies/thresholds/drafts", json=body, headers=city.once(clerk))
    assert (refused.status_code, refused.json()["type"]) == (403, PROBLEM + "permission-missing")
    draft = await city.draft(gold(60_000))
    refused = await client.post(
        "/policies/thresholds/versions",
        json={"draft": draft.json()["id"]},
        headers=city.once(clerk, **{"If-Match": '"1"'}),
    )
    assert refused.status_code == 403


async def test_what_there_is_not(hq: Office) -> None:
    client = hq.node.client
    unknown = await client.get("/policies/astrology", headers=hq.one)
    assert (unknown.status_code, unknown.json()["type"]) == (404, PROBLEM + "policy-kind-unknown")
    assert "thresholds" in unknown.json()["detail"]
    version = await client.get("/policies/thresholds/versions/000000/1", headers=hq.one)
    assert version.json()["type"] == PROBLEM + "version-not-found"
    draft = await client.get(
        "/policies/thresholds/drafts/019abf6e-0000-7000-8000-000000000000", headers=hq.one
    )
    assert draft.json()["type"] == PROBLEM + "draft-not-found"
    misspelt = await client.get("/policies/thresholds", params={"onn": LATER}, headers=hq.one)
    assert misspelt.json()["type"] == PROBLEM + "parameter-unknown"
    nowhere = await client.get("/policies/thresholds", params={"at": "999999"}, headers=hq.one)
    assert (nowhere.status_code, nowhere.json()["type"]) == (404, PROBLEM + "place-unknown")


async def test_the_kinds_and_their_forms_are_listed(hq: Office) -> None:
    listed = (await hq.node.client.get("/policies", headers=hq.one)).json()["items"]
    assert "thresholds" in [each["name"] for each in listed]
    form = await hq.get("/schema")
    assert form["default"] == DEFAULT
    assert set(form["form"]["properties"]) == set(DEFAULT)


async def test_everything_leaves_a_record(hq: Office) -> None:
    await hq.publish(national(window_months=12))
    await hq.withdraw(1)
    async with hq.node.database.transaction() as session:
        found = await session.scalars(
            select(AuditRecord.action)
            .where(AuditRecord.subject_type == "policy")
            .order_by(AuditRecord.id)
        )
        assert list(found) == ["policy.drafted", "policy.published", "policy.withdrawn"]
