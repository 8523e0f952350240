"""Every read of a city, walked: an answer that names a customer has left a record of who was shown whom."""

import re
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.city_node.completeness.models import CustomerCompleteness
from services.city_node.customer_import.models import CustomerImport, CustomerImportKept
from services.city_node.duplicate.models import DuplicateCandidate
from services.city_node.erasure.models import Erasure
from services.city_node.subject_request.models import SubjectRequest
from services.city_node.verification.models import VerificationTask
from services.city_node.win_back.models import WinBackAttempt
from shared.access import Guard
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.kernel.listing import ParameterUnknown
from tests.city.drafts import CITY, fresh, person
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import filled, guarded, token
from tests.permissions.bodies import HELD
from tests.permissions.test_masking import PATH, settle

_GROUP = "a look at the group that says `members`: whom it lists is the group's record"
RECORDED_OTHERWISE = {
    "/audit/records": "the log itself: who reads it is recorded as a search of the log",
    "/erasures": "proofs: the id leads to nobody any more",
    "/erasures/{customer_id}": "the same",
    "/customers/{customer_id}/members": _GROUP,
    "/customers/{customer_id}/members/{item}": _GROUP,
}
"""Reads that name customers by ids of which there is no look, and why."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    return await make_node(CITY)


async def settle_everything(node: TestNode) -> dict[str, dict[str, str]]:
    """Make somebody in every list; return what fills the paths, by a word of the path."""
    ids = await settle(node)
    headers = token(node, Role.SUPERVISOR, CITY, PATH)

    async def post(path: str, body: dict[str, Any], **more: str) -> Any:
        once = {**headers, "Idempotency-Key": f"{path} {body}".encode().hex()[-190:], **more}
        answer = await node.client.post(path, json=body, headers=once)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    one, group = ids[""]["customer_id"], ids["group"]["customer_id"]
    twin, survivor, merged, gone = [
        await post("/customers", person(number)) for number in (21, 22, 23, 24)
    ]
    pair = {"survivor_id": survivor["id"], "merged_id": merged["id"]}
    versions = {"survivor_version": 1, "merged_version": 1}
    merge = await post("/customer-merges", {**pair, **versions})
    left = await post(f"/customers/{gone['id']}/retire", {"reason": "price"}, **fresh({}, gone))
    for path, body in HELD.items():
        owner = group if path in {"key-persons", "members"} else one
        made = await post(f"/customers/{owner}/{path}", body | ({"member_id": one} if path == "members" else {}))  # fmt: skip
        ids[path] = {"customer_id": owner, "item": made["id"]}
    await post(f"/customers/{one}/legal-holds", {"reason": "诉讼"})
    segments = [
        (await post("/segments", {"name": name, "condition": "level = gold"}))["id"]
        for name in ("一", "二")
    ]
    proposals = await node.client.get("/customer-proposals", headers=headers)
    import_id, asked, attempt, candidate, task = (new_id() for _ in range(5))
    now = node.clock.now()
    async with node.database.transaction() as session:
        session.add(
            CustomerImport(
                id=import_id, at=now, by="test", unit_code=CITY, file_name="x", sha256="", mapping="m", state="undone",
                rows=0, created=0, changed=0, unchanged=0, rejected=0,
            )
        )  # fmt: skip
        await session.flush()
        session.add_all(
            [
                CustomerImportKept(
                    import_id=import_id, customer_id=UUID(one), record="customer", key="1", reason="x"
                ),
                SubjectRequest(
                    id=asked, customer_id=UUID(twin["id"]), kind="access", state="received", received_on=now.date(),
                    deadline=now.date(), created_by="test", created_at=now, updated_at=now,
                ),
                WinBackAttempt(
                    id=attempt, customer_id=UUID(gone["id"]), at=now, staff="test", channel="hall", result="planned",
                    left_on=now.date(), lost_monthly_charge_fen=0,
                ),
                Erasure(
                    customer_id=UUID(gone["id"]), at=now, by="test", cause="retention", left_on=now.date(), classes=[]
                ),
                DuplicateCandidate(
                    id=candidate, left_id=min(UUID(one), UUID(twin["id"])), right_id=max(UUID(one), UUID(twin["id"])),
                    score=80, reasons={"sound": 80}, state="open", found_at=now, fingerprint="x", version=1,
                ),
                VerificationTask(
                    id=task, customer_id=UUID(one), reason="never", state="open", due_on=now.date(), created_at=now, version=1
                ),
                CustomerCompleteness(customer_id=UUID(one), score=10, missing=[], computed_at=now),
            ]
        )  # fmt: skip
    assert left["library"] == "retained"
    ids[""] |= {
        "merge_id": merge["id"],
        "segment_id": segments[0],
        "first": segments[0],
        "second": segments[1],
        "part": "both",
        "proposal_id": proposals.json()["items"][0]["id"],
        "candidate_id": str(candidate),
        "task_id": str(task),
        "import_id": str(import_id),
        "request_id": str(asked),
    }
    ids["win-back-attempts"] = {"customer_id": gone["id"], "item": str(attempt)}
    ids["erasures"] = {"customer_id": gone["id"]}
    return ids


def reader_of(node: TestNode, guard: Guard) -> dict[str, str] | None:
    """Return the headers of somebody who may ask, if anybody may."""
    for role in (Role.SUPERVISOR, *Role):
        if guard.permissions <= node.node.grants.held_by(role):
            return token(node, role, CITY, PATH)
    return None


async def records_since(node: TestNode, last: int) -> tuple[int, set[str]]:
    """Return the id of the newest record, and every id that the records after ``last`` name."""
    query = "SELECT id, concat_ws(' ', subject_id, detail) AS said FROM audit_record WHERE id > :last ORDER BY id"  # fmt: skip
    async with node.database.transaction() as session:
        rows = (await session.execute(text(query), {"last": last})).all()
    named = {found for row in rows for found in _ID.findall(row.said)}
    return (rows[-1].id if rows else last), named


def without_ids(answer: httpx.Response) -> str | None:
    """Return a field that says nothing of whom an item of a page is about, if the answer is a page."""
    if answer.status_code != 200 or not answer.text.startswith('{"items":[{'):
        return None
    item = answer.json()["items"][0]
    return next((name for name, value in item.items() if not _ID.search(f"{value}")), None)


async def test_whoever_is_named_has_been_looked_at(node: TestNode) -> None:
    ids = await settle_everything(node)
    async with node.database.transaction() as session:
        found = await session.scalars(
            text("SELECT id::text FROM customer UNION ALL SELECT id::text FROM merged_customer")
        )
        customers = set(found.all())
    last, _ = await records_since(node, 0)
    unseen: dict[str, set[str]] = {}
    naming: set[str] = set()
    for guard in guarded(node):
        headers = reader_of(node, guard)
        if guard.method != "GET" or headers is None:
            continue
        word = next((word for word in guard.path.split("/") if word in ids and word), "")
        path = filled(guard.path, **{**ids[""], **ids[word]})
        answer = await node.client.get(path, headers=headers)
        assert answer.status_code < 500, (path, answer.text)
        last, recorded = await records_since(node, last)
        named = set(_ID.findall(answer.text)) & customers if answer.status_code == 200 else set()
        if named:
            naming.add(guard.path)
        if (
            part := without_ids(answer)
        ) is not None:  # which fields are asked for makes no difference
            asked = await node.client.get(f"{path}?fields={part}", headers=headers)
            last, narrow = await records_since(node, last)
            if asked.is_success:
                recorded &= narrow
            else:
                assert asked.json()["type"] == ParameterUnknown.type_uri(), (path, asked.text)
        if named - recorded and guard.path not in RECORDED_OTHERWISE:
            unseen[guard.path] = named - recorded
    assert unseen == {}
    assert naming >= {
        *("/customers", "/agreements", "/win-back/worklist", "/duplicate-candidates"),
        *("/duplicate-candidates/{candidate_id}", "/customer-proposals", "/customer-merges"),
        *("/customer-proposals/{proposal_id}", "/customer-merges/{merge_id}", "/legal-holds"),
        *("/segments/{segment_id}/members", "/segments/{first}/comparison/{second}/{part}"),
        *("/verification-tasks", "/verification-tasks/{task_id}", "/customer-completeness"),
        *("/subject-requests", "/erasures", "/customer-imports/{import_id}"),
    }
