"""A customer whose every personal value is known, read by every role over every route: who sees which of them."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.city_node.customer.privacy import ADDRESS, BIRTH_DATE, CONTACT, DOCUMENT, THIRD_PARTY
from shared.capability import Role
from tests.city.drafts import CITY, fresh, id_card, line, person
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import filled, guarded, token

PATH = f"000000/440000/{CITY}/"
BORN, KEY_PERSON_BORN, FORMER = "1990-07-19", "1975-03-02", "1991-08-21"
NUMBER = id_card(7, BORN.replace("-", ""))
SECRETS = {
    NUMBER: DOCUMENT,
    "13911112222": CONTACT,
    "o.secret@example.com": CONTACT,
    "13733334444": CONTACT,
    "key.secret@example.com": CONTACT,
    "13655556666": CONTACT,
    "广东省深圳市南山区科技园南路17号": ADDRESS,
    BORN: BIRTH_DATE,
    FORMER: BIRTH_DATE,
    KEY_PERSON_BORN: BIRTH_DATE,
    "欧阳娜娜": THIRD_PARTY,
    "司马相如": THIRD_PARTY,
    "上官婉儿": THIRD_PARTY,
}
"""Each value, and the permission without which nobody may see it."""
CONTACTS = (
    ("phone", "13911112222"),
    ("email", "o.secret@example.com"),
    ("postal", "广东省深圳市南山区科技园南路17号"),
)
_CURSOR = re.compile(r'"next":"([^"]+)"')


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    return await make_node(CITY)


async def _made(answer: httpx.Response) -> Any:
    assert answer.status_code in (200, 201), answer.text
    return answer.json() | {"etag": answer.headers.get("etag")}


async def settle(node: TestNode) -> dict[str, dict[str, str]]:
    """Make a person and a group full of secrets; return what fills the paths, by a word of the path."""
    headers = token(node, Role.SUPERVISOR, CITY, PATH)

    async def post(path: str, body: dict[str, Any]) -> Any:
        once = {**headers, "Idempotency-Key": f"{path} {body}".encode().hex()[-190:]}
        return await _made(await node.client.post(path, json=body, headers=once))

    one = await post("/customers", person(7, birth_date=FORMER, document_number=NUMBER))
    path = f"/customers/{one['id']}"
    second = token(node, Role.SUPERVISOR, CITY, PATH, number=9)
    for born in (BORN, FORMER):  # the one approved, the other waiting
        asked = await node.client.patch(
            path, json={"birth_date": born}, headers=fresh(headers, one)
        )
        assert asked.status_code == 202, asked.text
        if born == BORN:
            proposal = f"/customer-proposals/{asked.json()['proposal_id']}/approve"
            once = {**second, "If-Match": '"1"'}
            await _made(await node.client.post(proposal, headers=once))
            one = (await node.client.get(path, headers=headers)).json()
    await post(f"/customers/{one['id']}/subscriptions", line(7))
    for kind, value in CONTACTS:
        await post(f"/customers/{one['id']}/contacts", {"kind": kind, "value": value})
    tie = {"kind": "spouse", "person_name": "司马相如", "phone": "13655556666"}
    tie = await post(f"/customers/{one['id']}/ties", tie)
    licence = {"document_type": "business_licence", "document_number": "91440300MA00000001"}
    group = await post("/customers", {"kind": "group", "name": "南山精密", **licence})
    enterprise = await node.client.put(
        f"/customers/{group['id']}/enterprise",
        json={"legal_representative": "上官婉儿"},
        headers=fresh(headers, group),
    )
    await _made(enterprise)
    key = {"name": "欧阳娜娜", "birth_date": KEY_PERSON_BORN, "phone": "13733334444"}
    key = await post(
        f"/customers/{group['id']}/key-persons", {**key, "email": "key.secret@example.com"}
    )
    whole = {"customer_id": group["id"]}
    return {
        "": {"customer_id": one["id"]},
        "ties": {"customer_id": one["id"], "item": tie["id"]},
        "key-persons": {**whole, "item": key["id"]},
        "enterprise": whole,
        "group": whole,
    }


def questions(node: TestNode, ids: dict[str, dict[str, str]]) -> Iterator[str]:
    """Give every path and query by which something of a customer is read."""
    for guard in guarded(node):
        if guard.method != "GET":
            continue
        word = next((word for word in guard.path.split("/") if word and word in ids), "")
        for values in (ids[word], ids["group"]):
            path = filled(guard.path, **values)
            yield from (path, f"{path}?limit=1", f"{path}?limit=1&count=true")
            if guard.path == "/customers/{customer_id}":
                yield from (f"{path}?include=all", f"{path}?fields=id&include=all")
                yield f"{path}?fields=birth_date,document_number,name"
    for sort in ("name", "-updated_at", "entry_date", "monthly_charge_fen"):
        yield f"/customers?limit=1&sort={sort}"
    yield from (f"/customers?document={NUMBER}", "/customers?msisdn=13800000007")


def said(answer: httpx.Response) -> str:
    """Return all that an answer says, what its cursor hides too."""
    cursors = [base64.urlsafe_b64decode(found).decode() for found in _CURSOR.findall(answer.text)]
    return " ".join([answer.text, *cursors, *answer.headers.values()])


async def test_nobody_sees_what_their_role_may_not(node: TestNode) -> None:
    ids = await settle(node)
    asked = list(dict.fromkeys(questions(node, ids)))
    assert len(asked) > 100
    for role in Role:
        headers = token(node, role, CITY, PATH)
        held = node.node.grants.held_by(role)
        seen: set[str] = set()
        for question in asked:
            answer = await node.client.get(question, headers=headers)
            assert answer.status_code < 500
            # A search for a value may say it back: what was asked for is no news.
            text = said(answer)
            found = {secret for secret in SECRETS if secret in text and secret not in question}
            forbidden = {secret for secret in found if SECRETS[secret] not in held}
            assert not forbidden, (role, question, forbidden)
            seen |= found
        may = {secret for secret, permission in SECRETS.items() if permission in held}
        assert seen == (may if "customer:read" in held else set()), role


async def test_a_change_answers_no_more_than_a_read(node: TestNode) -> None:
    ids = await settle(node)
    clerk = token(node, Role.CLERK, CITY, PATH)
    path = f"/customers/{ids['']['customer_id']}"
    before = await node.client.get(f"{path}?include=contacts", headers=clerk)
    kept = {one["kind"]: one["value"] for one in before.json()["contacts"]}
    assert kept == {
        "phone": "13911112222",
        "email": "o.secret@example.com",
        "postal": "广东省深圳市****",
    }
    changed = await node.client.patch(
        path, json={"payment_method": "cash"}, headers=fresh(clerk, before.json())
    )
    assert changed.status_code == 200
    assert not {secret for secret in SECRETS if secret in changed.text} - {BORN}


async def test_history_is_masked_as_the_profile_is(node: TestNode) -> None:
    ids = await settle(node)
    program = token(node, Role.INTEGRATION, CITY, PATH)
    one = (await node.client.get(f"/customers/{ids['']['customer_id']}", headers=program)).json()
    assert one["birth_date"] == "1990-**-**"
    history = f"/customers/{one['id']}/changes"
    items = (await node.client.get(history, headers=program)).json()["items"]
    changes = {
        change["field"]: (change["old"], change["new"])
        for item in reversed(items)
        for change in item["changes"]
    }
    assert changes["birth_date"] == ("1991-**-**", "1990-**-**")
    assert changes["level"] == (None, "gold")
    names = [new for field, (_, new) in changes.items() if field.endswith("/person_name")]
    assert names == ["司***"]
