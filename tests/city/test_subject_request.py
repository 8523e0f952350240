"""People ask about their own data: to see it, to have it corrected, to have it erased."""

from datetime import date
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.city_node.erasure.register import REGISTER
from services.city_node.subject_request import working_days
from services.city_node.subject_request.exporting import export
from services.city_node.subject_request.kind import (
    EVERY_KIND,
    Lifecycle,
    LifecycleMisdeclared,
    Move,
    State,
)
from shared.capability import Role
from shared.kernel.language import Text
from tests.city.drafts import TEAM, Headers, SignIn, fresh, id_card, settle
from tests.city.retained import SECRETS, everything, library_of, lived_in, long_gone, post, read
from tests.conftest import TestNode

REQUESTS = "/subject-requests"


async def ask(
    city: TestNode, headers: Headers, customer: dict[str, Any], kind: str, *, verified: bool = True
) -> dict[str, Any]:
    """Take a person's request, and check the identity."""
    body = {"customer_id": customer["id"], "kind": kind, "details": "秘密请求"}
    request = await post(city, REQUESTS, body, headers)
    if verified:
        check = {"identity_check": "本人持证到厅"}
        request = await move(city, headers, request, "verify", check)
    return request


async def move(
    city: TestNode, headers: Headers, request: dict[str, Any], event: str, body: Any = None
) -> dict[str, Any]:
    answer = await attempt(city, headers, request, event, body)
    assert answer.status_code == 200, answer.text
    moved: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == f'"{moved["version"]}"'
    return moved


async def attempt(
    city: TestNode, headers: Headers, request: dict[str, Any], event: str, body: Any = None
) -> Any:
    return await city.client.post(
        f"{REQUESTS}/{request['id']}/{event}", json=body or {}, headers=fresh(headers, request)
    )


def problem(answer: Any) -> str:
    kind: str = answer.json()["type"]
    return kind.removeprefix("urn:guanxi:problem:")


async def test_a_request_has_a_deadline_in_working_days(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    request = await ask(city, clerk, customer, "access", verified=False)
    assert (request["state"], request["received_on"]) == ("received", "2026-11-23")
    assert request["deadline"] == "2026-12-14"
    body = {"customer_id": customer["id"], "kind": "rectification", "received_on": "2026-11-20"}
    earlier = await post(city, REQUESTS, body, clerk)
    assert earlier["deadline"] == "2026-12-11"
    listed = await city.client.get(f"{REQUESTS}?open=true", headers=clerk)
    assert [each["id"] for each in listed.json()["items"]] == [earlier["id"], request["id"]]
    due = await city.client.get(f"{REQUESTS}?deadline_before=2026-12-14", headers=clerk)
    assert [each["id"] for each in due.json()["items"]] == [earlier["id"]]


@pytest.mark.parametrize(
    ("day", "days", "expected"),
    [
        (date(2026, 11, 27), 1, date(2026, 11, 30)),
        (date(2026, 11, 28), 1, date(2026, 11, 30)),
        (date(2026, 11, 23), 5, date(2026, 11, 30)),
        (date(2026, 11, 23), 0, date(2026, 11, 23)),
    ],
)
def test_working_days_are_monday_to_friday(day: date, days: int, expected: date) -> None:
    assert working_days.after(day, days) == expected


async def test_one_open_request_of_a_kind(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    request = await ask(city, clerk, customer, "access")
    body = {"customer_id": customer["id"], "kind": "access"}
    answer = await city.client.post(REQUESTS, json=body, headers={**clerk, "Idempotency-Key": "x"})
    assert (answer.status_code, problem(answer)) == (409, "subject-request-open")
    await move(city, clerk, request, "withdraw")
    await ask(city, clerk, customer, "access")


async def test_the_same_request_twice_is_taken_once(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    body = {"customer_id": customer["id"], "kind": "access"}
    headers = {**clerk, "Idempotency-Key": "same"}
    first = await city.client.post(REQUESTS, json=body, headers=headers)
    second = await city.client.post(REQUESTS, json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


async def test_everything_about_the_person_is_given_out(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    customer = await long_gone(city, clerk)
    other = await lived_in(city, clerk, 2)
    request = await ask(city, clerk, customer, "access", verified=False)
    early = await attempt(city, supervisor, request, "export")
    assert (early.status_code, problem(early)) == (409, "subject-request-not-in-state")
    request = await move(city, clerk, request, "verify", {"identity_check": "本人持证到厅"})
    refused = await attempt(city, clerk, request, "export")
    assert refused.status_code == 403
    answer = await attempt(city, supervisor, request, "export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    assert set(given["tables"]) == set(REGISTER)
    (profile,) = given["tables"]["customer"]
    assert (profile["name"], profile["document_number"]) == ("王小明", id_card(1))
    assert "document_cipher" not in profile
    assert "document_index" not in profile
    assert given["tables"]["bill"][0]["charge_fen"] == 12345
    assert len(given["tables"]["contact_medium"]) == 3
    assert given["tables"]["tie"][0]["person_name"] == "知情人"
    # A third person's number is that person's own.
    assert "13700007777" not in answer.text
    missing = [secret for secret in SECRETS if secret not in answer.text]
    assert missing == ["wangxiaoming"]
    values = [medium["value"] for medium in given["tables"]["contact_medium"]]
    assert {"13900001234", "wang@example.com"} < set(values)
    assert other["id"] not in answer.text
    assert id_card(2) not in answer.text
    read_again = await city.client.get(f"{REQUESTS}/{request['id']}", headers=clerk)
    trail = [(each["event"], each["state"]) for each in read_again.json()["trail"]]
    assert trail == [("receive", "received"), ("verify", "verified"), ("export", "verified")]
    present = read_again.json()
    done = await move(city, clerk, present, "fulfil", {"note": "已交付"})
    assert (done["state"], done["ended_at"] is not None) == ("fulfilled", True)
    late = await attempt(city, supervisor, done, "export")
    assert problem(late) == "subject-request-not-in-state"


async def test_an_export_comes_in_pieces(city: TestNode, clerk: Headers) -> None:
    customer = await lived_in(city, clerk)
    pool = await city.database.pool()
    await pool.execute(
        "INSERT INTO bill (subscription_id, customer_id, period, charge_fen)"
        " SELECT s.id, s.customer_id, DATE '1900-01-01' + n * interval '1 month', n"
        " FROM subscription s, generate_series(1, 1000) n WHERE s.customer_id = $1",
        UUID(customer["id"]),
    )
    pieces = [
        piece
        async for piece in export(
            city.database.url,
            city.context.cipher,
            UUID(int=1),
            UUID(customer["id"]),
            at=city.clock.now(),
        )
    ]
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 200_000
    assert len(orjson.loads(b"".join(pieces))["tables"]["bill"]) == 1001


async def test_a_correction_says_where_it_is_made(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    request = await ask(city, clerk, customer, "rectification")
    answer = await city.client.get(f"{REQUESTS}/{request['id']}", headers=clerk)
    assert answer.json()["proposal_path"] == f"/customers/{customer['id']}"
    assert answer.headers["etag"] == f'"{request["version"]}"'
    await move(city, clerk, request, "fulfil", {"note": "姓名已更正"})


async def test_two_people_erase_a_person_at_once(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn
) -> None:
    customer = await long_gone(city, clerk)
    request = await ask(city, clerk, customer, "erasure")
    assert (await attempt(city, clerk, request, "propose")).status_code == 403
    request = await move(city, supervisor, request, "propose", {"note": "秘密说明"})
    own = await attempt(city, supervisor, request, "approve")
    assert (own.status_code, problem(own)) == (409, "proposer-may-not-approve")
    assert await library_of(city, customer["id"]) == "retained"
    another = await sign_in(city, Role.SUPERVISOR)
    done = await move(city, another, request, "approve")
    assert (done["state"], done["details"], done["identity_check"]) == ("fulfilled", None, None)
    proof = await city.client.get(f"/erasures/{customer['id']}", headers=supervisor)
    assert (proof.json()["cause"], proof.json()["cause_id"]) == ("subject_request", request["id"])
    assert proof.json()["by"] == request["proposed_by"]
    assert proof.json()["approved_by"] not in {None, request["proposed_by"]}
    assert (await city.client.get(f"/customers/{customer['id']}", headers=clerk)).status_code == 410
    kept = await everything(city)
    assert [each for each in kept.splitlines() if any(word in each for word in SECRETS)] == []
    shown = await city.client.get(f"{REQUESTS}/{request['id']}", headers=clerk)
    assert [each["event"] for each in shown.json()["trail"]] == [
        "receive",
        "verify",
        "propose",
        "approve",
    ]
    assert {each["note"] for each in shown.json()["trail"]} == {None}


async def test_what_stands_against_erasure_is_named(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    customer = await lived_in(city, clerk)
    pool = await city.database.pool()
    await pool.execute("UPDATE bill SET paid_on = NULL")
    await pool.execute("UPDATE agreement SET expires_on = DATE '2027-01-01'")
    await post(city, f"/customers/{customer['id']}/legal-holds", {"reason": "诉讼"}, supervisor)
    request = await ask(city, clerk, customer, "erasure")

    async def barred() -> list[str]:
        answer = await attempt(city, supervisor, request, "propose")
        assert (answer.status_code, problem(answer)) == (409, "erasure-barred")
        return [each["pointer"].removeprefix("/") for each in answer.json()["errors"]]

    assert await barred() == ["active_contract", "agreement_in_force", "arrears", "legal_hold"]
    present = await read(city, clerk, customer["id"])
    left = await city.client.post(
        f"/customers/{customer['id']}/retire",
        json={"reason": "price", "on": "2026-11-01"},
        headers=fresh(clerk, present),
    )
    assert left.status_code == 200
    await pool.execute("UPDATE bill SET paid_on = period + 40")
    await pool.execute("UPDATE agreement SET expires_on = DATE '2026-11-23'")
    await pool.execute("UPDATE legal_hold SET lifted_at = now(), lifted_by = 'x'")
    assert await barred() == ["legal_retention"]
    unknown = await attempt(city, clerk, request, "refuse", {"code": "no_mood"})
    assert (unknown.status_code, problem(unknown)) == (422, "refusal-unknown")
    refused = await move(city, clerk, request, "refuse", {"code": "legal_retention"})
    assert (refused["state"], refused["refusal_code"]) == ("refused", "legal_retention")
    reasons = await city.client.get(f"{REQUESTS}/refusals", headers=clerk)
    assert "legal_retention" in {each["code"] for each in reasons.json()["items"]}


async def test_what_comes_to_stand_against_it_is_seen_at_the_approval(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn
) -> None:
    customer = await long_gone(city, clerk)
    request = await ask(city, clerk, customer, "erasure")
    request = await move(city, supervisor, request, "propose")
    await post(city, f"/customers/{customer['id']}/legal-holds", {"reason": "诉讼"}, supervisor)
    another = await sign_in(city, Role.SUPERVISOR)
    answer = await attempt(city, another, request, "approve")
    assert problem(answer) == "erasure-barred"
    assert await library_of(city, customer["id"]) == "retained"
    back = await move(city, another, request, "send-back", {"note": "有诉讼"})
    assert (back["state"], back["proposed_by"]) == ("verified", None)


async def test_requests_are_seen_within_the_unit(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    request = await ask(city, clerk, await settle(city, clerk), "access", verified=False)
    team = await sign_in(city, Role.SUPERVISOR, TEAM)
    path = f"{REQUESTS}/{request['id']}"
    assert (await city.client.get(path, headers=team)).status_code == 404
    assert (await attempt(city, team, request, "withdraw")).status_code == 404
    assert (await city.client.get(REQUESTS, headers=team)).json()["items"] == []
    stale = await attempt(city, clerk, {**request, "version": 9}, "withdraw")
    assert stale.status_code == 412


def test_a_life_that_contradicts_itself_is_refused() -> None:
    received, done = State("received", Text("r", "r")), State("done", Text("d", "d"), final=True)
    start, end = Move("receive", ("start",), "received"), Move("end", ("received",), "done")
    Lifecycle((received, done), (start, end))
    for states, moves in (
        ((received, done), (start,)),
        ((received, received, done), (start, end)),
        ((received, done), (start, end, Move("again", ("done",), "received"))),
        ((received, done), (start, end, end)),
        ((received, done), (start, end, Move("lose", ("received",), "nowhere", EVERY_KIND))),
    ):
        with pytest.raises(LifecycleMisdeclared):
            Lifecycle(states, moves)
