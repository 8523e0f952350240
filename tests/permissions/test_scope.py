"""Every route that names something of a unit, asked from that unit, from a sibling and from another city."""

from typing import Any
from uuid import UUID

import pytest

from services.city_node.attachment.models import Attachment
from services.city_node.customer_import.models import CustomerImport
from services.city_node.erasure.models import Erasure
from services.city_node.loan_handset.models import LoanHandset
from services.city_node.points.models import PointsAdjustment
from services.city_node.prospect.models import Prospect
from services.city_node.redemption.models import Redemption
from services.city_node.repair.models import RepairTicket
from services.city_node.reward.models import Reward
from services.city_node.service_request.models import ServiceRequest
from services.city_node.subject_request.models import SubjectRequest
from services.city_node.transfer.models import TransferCase
from services.city_node.win_back.models import WinBackAttempt
from shared.access import Guard
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.organisation.models import OrganisationUnit
from tests.city.drafts import CITY, OTHER_TEAM, TEAM, SignIn, line, person
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import filled, guarded, token
from tests.permissions.bodies import BODIES, GROUP, HELD, OF_GROUP, OFFER
from tests.permissions.paid import settle_payments
from tests.permissions.reported import settle_report

PATHS = {
    TEAM: f"000000/440000/{CITY}/{TEAM}/",
    OTHER_TEAM: f"000000/440000/{CITY}/{OTHER_TEAM}/",
    "440100": "000000/440000/440100/",
}
OWNED = (
    *("{customer_id}", "{staff_id}", "{import_id}", "{request_id}", "{report_id}", "/units/{code}"),
    *("{adjustment_id}", "{redemption_id}", "{prospect_id}", "{shift_id}", "{handset_id}"),
)
"""What in a path names something of a unit."""


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    made = await make_node(CITY)
    async with made.database.transaction() as session:
        for code in (TEAM, OTHER_TEAM):
            session.add(
                OrganisationUnit(
                    code=code,
                    parent_code=CITY,
                    path=PATHS[code],
                    kind="team",
                    name_zh=code,
                    name_en=code,
                    created_at=made.clock.now(),
                    updated_at=made.clock.now(),
                )
            )
    return made


async def settle(node: TestNode, headers: dict[str, str]) -> dict[str, dict[str, str]]:
    """Make one of everything in the team; return what fills the parameters of paths, by the end of the path."""
    person_id, group_id = [
        (await node.client.post("/customers", json=body, headers=headers)).json()["id"]
        for body in (person(1), GROUP)
    ]
    HELD["members"]["member_id"] = person_id
    BODIES["POST", "/customers/{customer_id}/points/transfers"] = {
        "receiver_id": group_id,
        "points": 100,
    }
    assert (await node.client.post("/offers", json=OFFER, headers=headers)).status_code == 201
    ids: dict[str, dict[str, str]] = {"": {"customer_id": person_id, "code": TEAM}}
    media = f"/customers/{person_id}/contacts"
    body = {"kind": "phone", "value": "13800138002"}
    once = {**headers, "Idempotency-Key": "contact"}
    assert (await node.client.post(media, json=body, headers=once)).status_code == 201
    (medium,) = (await node.client.get(media, headers=headers)).json()["items"]
    ids["contacts"] = {"contact_id": medium["id"]}
    enterprise = await node.client.put(
        f"/customers/{group_id}/enterprise", json={}, headers={**headers, "If-Match": '"1"'}
    )
    assert enterprise.status_code == 200, enterprise.text
    lines = f"/customers/{person_id}/subscriptions"
    once = {**headers, "Idempotency-Key": "line"}
    assert (await node.client.post(lines, json=line(9), headers=once)).status_code == 201
    held = (await node.client.get(lines, headers=headers)).json()["items"]
    ids["subscriptions"] = {"customer_id": person_id, "subscription_id": held[0]["id"]}
    ids["enterprise"] = {"customer_id": group_id}
    for path, body in HELD.items():
        owner = group_id if path in OF_GROUP else person_id
        made = await node.client.post(
            f"/customers/{owner}/{path}", json=body, headers={**headers, "Idempotency-Key": path}
        )
        assert made.status_code == 201, made.text
        ids[path] = {"customer_id": owner, "item": made.json()["id"]}
    return ids


async def settle_rows(node: TestNode, ids: dict[str, dict[str, str]]) -> None:
    """Add what comes only from elsewhere, or only after years: an import, requests, an attempt, a proof of erasure."""
    import_id, request_id, asked_id, attempt_id, prospect_id, transfer_id = (
        new_id() for _ in range(6)
    )
    now, customer_id = node.clock.now(), UUID(ids[""]["customer_id"])
    async with node.database.transaction() as session:
        session.add(
            CustomerImport(
                id=import_id,
                at=now,
                by="test",
                unit_code=TEAM,
                file_name="x",
                sha256="",
                mapping="m",
                state="completed",
                rows=0,
                created=0,
                changed=0,
                unchanged=0,
                rejected=0,
            )
        )
        session.add_all(
            ServiceRequest(
                id=each,
                kind=kind,
                role="visited",
                home="110100",
                visited=CITY,
                state="cancelled",
                subject="138****0001",
                deadline=now,
                unit_code=TEAM,
                created_by="test",
                created_at=now,
                updated_at=now,
                ended_at=now,
            )
            for each, kind in ((request_id, "card-replacement"), (transfer_id, "transfer"))
        )
        await session.flush()
        session.add(
            Attachment(
                id=request_id,
                request_id=request_id,
                node=CITY,
                kind="signature",
                media_type="image/png",
                size=1,
                sha256="0" * 64,
                chunks=1,
                state="expected",
                created_by="test",
                created_at=now,
            )
        )
        session.add(
            SubjectRequest(
                id=asked_id,
                customer_id=customer_id,
                kind="access",
                state="received",
                received_on=now.date(),
                deadline=now.date(),
                created_by="test",
                created_at=now,
                updated_at=now,
            )
        )
        session.add(
            WinBackAttempt(
                id=attempt_id,
                customer_id=customer_id,
                at=now,
                staff="test",
                channel="hall",
                result="planned",
                left_on=now.date(),
                lost_monthly_charge_fen=0,
            )
        )
        session.add(
            Prospect(
                id=prospect_id,
                customer_id=customer_id,
                state="found",
                target="diamond",
                score=1,
                signals=["near"],
                used={
                    "from": "2026-05",
                    "before": "2026-11",
                    "mean_fen": 1,
                    "near_permille": 999,
                    "threshold_fen": 2,
                },
                as_of=now.date(),
                policy="test",
                found_at=now,
            )
        )
        session.add(
            Erasure(
                customer_id=customer_id,
                at=now,
                by="test",
                cause="retention",
                left_on=now.date(),
                classes=[],
            )
        )
    ids[""] |= {"import_id": str(import_id), "request_id": str(request_id)}
    ids[""]["attachment_id"] = str(request_id)
    ids["repairs"], ids["loan-handsets"] = await settle_repair(node)
    ids["transfers"] = {"request_id": str(await settle_ended(node, "transfer"))}
    ids[""]["prospect_id"] = str(prospect_id)
    ids[""] |= await settle_points(node, customer_id) | await settle_report(node, TEAM)
    ids["transfers"] = {"request_id": str(transfer_id)}
    ids["subject-requests"] = {"request_id": str(asked_id)}
    ids["win-back-attempts"] = {"item": str(attempt_id)}
    ids |= await settle_payments(node, TEAM)


async def settle_ended(node: TestNode, kind: str) -> UUID:
    """Add a request for another city that has ended."""
    request_id, now = new_id(), node.clock.now()
    async with node.database.transaction() as session:
        session.add(
            ServiceRequest(
                id=request_id,
                kind=kind,
                role="visited",
                home="110100",
                visited=CITY,
                state="cancelled",
                subject="138****0001",
                deadline=now,
                unit_code=TEAM,
                created_by="test",
                created_at=now,
                updated_at=now,
                ended_at=now,
            )
        )
        await session.flush()
        if kind == "transfer":
            session.add(TransferCase(request_id=request_id))
    return request_id


async def settle_repair(node: TestNode) -> tuple[dict[str, str], dict[str, str]]:
    """Add a repair that has ended, and a handset to lend."""
    repair_id, handset_id, now = await settle_ended(node, "repair"), new_id(), node.clock.now()
    async with node.database.transaction() as session:
        session.add(
            RepairTicket(request_id=repair_id, make="x", model="x", imei_masked="*", fault="x")
        )
        session.add(
            LoanHandset(
                id=handset_id,
                imei="490154203237518",
                make="x",
                model="x",
                unit_code=TEAM,
                created_at=now,
                updated_at=now,
            )
        )
    return {"request_id": str(repair_id)}, {"handset_id": str(handset_id)}


async def settle_points(node: TestNode, customer_id: UUID) -> dict[str, str]:
    """Add a reward, and what somebody did with points."""
    adjustment_id, redemption_id = new_id(), new_id()
    now = node.clock.now()
    async with node.database.transaction() as session:
        session.add(
            Reward(
                code="umbrella",
                name_zh="晴雨伞",
                name_en="Umbrella",
                points=100,
                valid_from=now.date(),
                levels=[],
                version=1,
                updated_at=now,
                updated_by="test",
            )
        )
        session.add(
            PointsAdjustment(
                id=adjustment_id,
                customer_id=customer_id,
                points=5000,
                reason="x",
                state="pending",
                requested_at=now,
                requested_by="test",
                requester_id=new_id(),
                version=1,
            )
        )
        await session.flush()
        session.add(
            Redemption(
                id=redemption_id,
                customer_id=customer_id,
                reward_code="umbrella",
                quantity=1,
                points=100,
                state="open",
                at=now,
                by="test",
                version=1,
            )
        )
    return {"adjustment_id": str(adjustment_id), "redemption_id": str(redemption_id)}


def values_for(guard: Guard, ids: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return what fills the parameters of a route's path."""
    words = guard.path.split("/")
    return {**ids[""], **next((ids[word] for word in words if word in ids and word), {})}


def body_of(guard: Guard) -> Any:
    """Return what a change takes."""
    held = next((HELD[word] for word in guard.path.split("/") if word in HELD), None)
    if held is not None:
        return {} if guard.method == "PATCH" else held
    return BODIES.get((guard.method, guard.path))


async def test_what_a_unit_has_does_not_exist_for_another(node: TestNode, sign_in: SignIn) -> None:
    ids = await settle(node, token(node, Role.SUPERVISOR, TEAM, PATHS[TEAM]))
    await settle_rows(node, ids)
    member = await sign_in(node, Role.CLERK, TEAM)
    who = await node.client.get("/staff/me", headers=member)
    ids[""]["staff_id"] = who.json()["id"]
    wrong: list[str] = []
    reached = 0
    for guard in guarded(node):
        if not any(owned in guard.path for owned in OWNED):
            continue
        path = filled(guard.path, **values_for(guard, ids))
        for role in Role:
            if not guard.permissions <= node.node.grants.held_by(role):
                continue
            for unit, unit_path in PATHS.items():
                answer = await node.client.request(
                    guard.method,
                    path,
                    json=None if guard.method in ("GET", "DELETE") else body_of(guard),
                    headers={
                        **token(node, role, unit, unit_path),
                        "If-Match": '"9999"',
                        "Idempotency-Key": f"{guard.path} {role} {unit}",
                    },
                )
                found = answer.status_code not in (401, 403, 404, 422) and answer.status_code < 500
                reached += found
                if found is not (unit == TEAM) or (unit != TEAM and answer.status_code != 404):
                    wrong.append(
                        f"{guard.method} {guard.path} by {role} of {unit}: {answer.status_code} {answer.text[:200]}"
                    )
    assert wrong == [], "\n".join(wrong)
    assert reached > 100


async def test_a_list_holds_nothing_of_another_unit(node: TestNode, sign_in: SignIn) -> None:
    ids = await settle(node, token(node, Role.SUPERVISOR, TEAM, PATHS[TEAM]))
    await settle_rows(node, ids)
    member = await sign_in(node, Role.CLERK, TEAM)
    ids[""]["staff_id"] = (await node.client.get("/staff/me", headers=member)).json()["id"]
    theirs = {value for each in ids.values() for value in each.values()}
    assert all(value == TEAM or UUID(value) for value in theirs)
    shown: set[str] = set()
    for guard in guarded(node):
        if guard.method != "GET" or "{" in guard.path:
            continue
        for role in Role:
            if not guard.permissions <= node.node.grants.held_by(role):
                continue
            for unit, unit_path in PATHS.items():
                headers = token(node, role, unit, unit_path)
                answer = await node.client.get(guard.path, headers=headers)
                seen = {value for value in theirs if f'"{value}"' in answer.text}
                if unit == TEAM:
                    shown |= {guard.path} if seen else set()
                else:
                    assert not seen, (guard.path, role, unit)
    assert shown >= {
        *("/customers", "/agreements", "/staff", "/organisation/units"),
        *("/customer-imports", "/service-requests", "/prospects", "/payments", "/tills/shifts"),
        *("/repairs", "/loan-handsets", "/statistics/reports"),
    }
