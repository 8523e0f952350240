"""What no form would send: each text of each change replaced by something hostile, and bodies of odd shapes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.capability import Role
from tests.city.drafts import CITY, person
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import NIL, filled, guarded, token
from tests.permissions.bodies import BODIES, GROUP, HELD

PATH = f"000000/440000/{CITY}/"
TEXTS = {
    "nul": "a\x00b",
    "bell": "a\x07b",
    "line separator": "a\u2028b",
    "emoji": "张😀伟",
    "rare character": "𠮷𡈽",
    "right to left": "a\u202eb\u200f",
    "half a character": "a\ud800b",
    "byte order mark": "\ufeffa",
    "formula": "=HYPERLINK(1)",
    "quotes": "'; DROP TABLE customer; --",
    "marks": "<<contact|p.value>> {0} %s :now $1",
    "path": "../../etc/passwd",
    "long": "长" * 100_000,
    "empty": "",
    "spaces": "   ",
}
VALUES: dict[str, Any] = {
    "huge": 10**400,
    "beyond 64 bits": 2**63,
    "negative": -1,
    "not a number": float("nan"),
    "list": [["a"]],
    "object": {"a": {"b": None}},
    "true": True,
}
SHAPES = {
    "deep": b'{"attributes":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    "deep list": b"[" * 5000 + b"]" * 5000,
    "cut": b'{"name": "a',
    "not utf-8": b'{"name": "\xff\xfe"}',
    "no object": b'"name"',
    "nothing": b"",
    "null": b"null",
    "huge exponent": b'{"share_percent": 1e400000}',
    "wide": b'{"attributes":{' + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}}",
}
NEW = {
    ("POST", "/customers"): person(3),
    ("POST", "/organisation/units"): {
        "code": f"{CITY}-09",
        "parent_code": CITY,
        "kind": "team",
        "name_zh": "九组",
        "name_en": "Nine",
    },
    ("POST", "/staff"): {
        "username": "wang.fang",
        "display_name": "王芳",
        "role": "clerk",
        "unit_code": CITY,
        "password": "tide-lantern-orchard-nine",
    },
    ("POST", "/card-replacements"): {
        "msisdn": "13800005678",
        "home": "110100",
        "document_type": "id_card",
        "document_number": "11010519491231002X",
        "reason": "lost",
    },
    ("POST", "/sim-cards"): {
        "cards": [{"iccid": "89860026440300000017", "imsi": "460002644030001"}]
    },
    ("POST", "/repairs"): {
        "msisdn": "13800005678",
        "home": "110100",
        "document_type": "id_card",
        "document_number": "11010519491231002X",
        "make": "Huawei",
        "model": "Mate 60",
        "imei": "490154203237518",
        "fault": "屏幕碎裂",
        "purchased_on": "2025-06-18",
    },
    ("POST", "/loan-handsets"): {
        "handsets": [{"imei": "490154203237518", "make": "Huawei", "model": "Enjoy 70"}]
    },
    ("POST", "/operations/invitations"): {"code": "440399"},
    ("POST", "/statistics/rollups"): {"period": "2026-10"},
}


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    return await make_node(CITY)


def changes() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give method, path and a valid body of what changes something."""
    for (method, path), body in {**BODIES, **NEW}.items():
        yield method, path, body
    for name, body in HELD.items():
        member = {"member_id": NIL} if name == "members" else {}
        yield "POST", f"/customers/{{customer_id}}/{name}", {**body, **member}


async def send(node: TestNode, method: str, path: str, content: bytes) -> int:
    answer = await node.client.request(
        method,
        path,
        content=content,
        headers={
            **node_headers(node, method, path),
            "content-type": "application/json",
            "if-match": '"1"',
            "idempotency-key": f"{path} {hash(content)}",
        },
    )
    assert answer.status_code < 500, (method, path, content[:200], answer.text)
    if answer.status_code < 300 and answer.content:
        answer.json()
    return answer.status_code


def node_headers(node: TestNode, method: str, path: str) -> dict[str, str]:
    """Return the headers of a role that may."""
    wanted = {"/operations", "/staff"} & {path[: path.find("/", 1)], path}
    return token(node, Role.OPERATOR if wanted else Role.SUPERVISOR, CITY, PATH)


async def fill(node: TestNode) -> tuple[str, str]:
    headers = token(node, Role.SUPERVISOR, CITY, PATH)
    ids = []
    for body in (person(1), GROUP):
        answer = await node.client.post("/customers", json=body, headers=headers)
        ids.append(answer.json()["id"])
    return ids[0], ids[1]


async def test_every_text_of_every_change_may_be_hostile(node: TestNode) -> None:
    one, group = await fill(node)
    taken = sent = 0
    for method, template, body in changes():
        owner = group if any(word in template for word in ("key-p", "members", "enter")) else one
        path = filled(template, customer_id=owner)
        texts = [name for name, value in body.items() if isinstance(value, str)]
        for name in texts:
            for hostile in (*TEXTS.values(), *VALUES.values()):
                content = json.dumps({**body, name: hostile}).encode()
                status = await send(node, method, path, content)
                taken += status < 300
                sent += 1
    assert sent > 1000
    assert taken > 40, "what is unusual and right is taken"


async def test_what_was_taken_is_given_back_as_it_was(node: TestNode) -> None:
    headers = token(node, Role.SUPERVISOR, CITY, PATH)
    for running, name in enumerate(
        ("张😀伟", "𠮷𡈽", "=1+1", "<<contact|p.value>>", "a\u202eb"), 10
    ):
        made = await node.client.post(
            "/customers", json=person(running, name=name), headers=headers
        )
        assert made.status_code == 201, made.text
        read = await node.client.get(f"/customers/{made.json()['id']}", headers=headers)
        assert read.json()["name"] == name


@pytest.mark.parametrize("shape", SHAPES)
async def test_bodies_of_odd_shapes_are_refused(node: TestNode, shape: str) -> None:
    one, _ = await fill(node)
    for method, template, _body in changes():
        status = await send(node, method, filled(template, customer_id=one), SHAPES[shape])
        assert status >= 400


@pytest.mark.parametrize(
    "query",
    [
        "cursor=%00",
        "cursor=WyJpZCIsZmFsc2UsIgAiLCIAIl0=",
        "sort=%F0%9F%98%80",
        "fields=%00,id",
        "limit=99999999999999999999",
        "limit=-1",
        "unit=%00",
        "contact=%00",
        "contact=%F0%9F%98%80",
        "document=%ED%A0%80",
        "name=%00",
        "name=%5Cu0000",
        "name=%E2%80%AE",
        "name=" + "x" * 5000,
    ],
)
async def test_hostile_queries_are_answered(node: TestNode, query: str) -> None:
    await fill(node)
    for guard in guarded(node):
        if guard.method != "GET" or guard.path == "/metrics":
            continue
        role = next(role for role in Role if guard.permissions <= node.node.grants.held_by(role))
        answer = await node.client.get(
            f"{filled(guard.path)}?{query}", headers=token(node, role, CITY, PATH)
        )
        assert answer.status_code < 500, (guard.path, query, answer.text)
