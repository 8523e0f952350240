"""What customers hold, in its one form: noted, read, changed against the customer's version, removed, remembered."""

import random
from typing import Any

import pytest

from tests.city.drafts import Headers, SignIn, fresh, settle
from tests.city.holding import group_of, note
from tests.conftest import TestNode

HELD: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "key-persons": (
        "group",
        {"name": "李娜", "decision_role": "decider", "decision_order": 2, "phone": "13912345678"},
        {"influence": 5},
    ),
    "agreements": (
        "group",
        {"number": "A-1", "title": "专线", "starts_on": "2026-01-01", "expires_on": "2027-01-01"},
        {"note": "续签中"},
    ),
    "products": (
        "group",
        {
            "product_code": "DIA",
            "name": "专线",
            "category": "dedicated_line",
            "since": "2026-01-01",
        },
        {"quantity": 3},
    ),
    "competitor-use": (
        "group",
        {"operator": "中国联通", "category": "broadband", "share_percent": 40},
        {"share_percent": 60},
    ),
    "preferences": ("individual", {"topic": "marketing", "value": "welcome"}, {"value": "refused"}),
    "ties": (
        "individual",
        {"kind": "spouse", "person_name": "王芳", "phone": "13800138000"},
        {"note": "同住"},
    ),
    "interactions": (
        "individual",
        {"channel": "hall", "kind": "inquiry", "subject": "话费"},
        {"outcome": "已解答"},
    ),
}


@pytest.mark.parametrize("path", HELD)
async def test_a_noun_lives_its_life(city: TestNode, clerk: Headers, path: str) -> None:
    kind, body, patch = HELD[path]
    make = group_of if kind == "group" else settle
    customer = await make(city, clerk)
    made = await note(city, clerk, customer, path, body)
    assert made.status_code == 201, made.text
    assert made.headers["etag"] == '"2"'
    kept = made.json()
    where = made.headers["location"]
    item = (await city.client.get(where, headers=clerk)).json()
    assert body.items() <= item.items()
    assert item | {"phone": None} == kept | {"phone": None}
    assert kept.get("phone") in (None, "139****5678", "138****8000")
    assert where == f"/customers/{customer['id']}/{path}/{item['id']}"
    again = await note(city, clerk, customer, path, body)
    assert (again.status_code, again.json()) == (201, kept)

    part = path.replace("-", "_")
    page = await city.client.get(
        f"/customers/{customer['id']}?fields=id&include={part}", headers=clerk
    )
    assert page.json()[part] == [item]
    listed = await city.client.get(f"/customers/{customer['id']}/{path}?count=true", headers=clerk)
    assert listed.json() == {"items": [item], "next": None, "count": 1}

    stale = await city.client.patch(where, json=patch, headers=fresh(clerk, customer))
    assert stale.status_code == 412
    missing = await city.client.patch(where, json=patch, headers=clerk)
    assert missing.status_code == 428
    changed = await city.client.patch(where, json=patch, headers={**clerk, "If-Match": '"2"'})
    assert changed.status_code == 200, changed.text
    assert changed.json() == {**item, **patch}
    assert changed.headers["etag"] == '"3"'
    assert (await city.client.get(where, headers=clerk)).json() == {**item, **patch}
    same = await city.client.patch(where, json=patch, headers={**clerk, "If-Match": '"3"'})
    assert same.headers["etag"] == '"3"'

    changes = (await city.client.get(f"/customers/{customer['id']}/changes", headers=clerk)).json()[
        "items"
    ]
    assert [change["action"] for change in changes] == ["part_changed", "part_added", "created"]
    field, new = next(iter(patch.items()))
    assert changes[0]["changes"] == [
        {"field": f"{part}/{item['id']}/{field}", "old": item[field], "new": new}
    ]

    removed = await city.client.delete(where, headers={**clerk, "If-Match": '"3"'})
    if path == "interactions":
        assert removed.status_code == 405
        return
    assert (removed.status_code, removed.headers["etag"]) == (204, '"4"')
    assert (await city.client.get(where, headers=clerk)).status_code == 404
    history = await city.client.get(f"/customers/{customer['id']}?include=changes", headers=clerk)
    removal = history.json()["changes"][0]
    assert removal["action"] == "part_removed"
    assert {"field": f"{part}/{item['id']}/{field}", "old": new, "new": None} in removal["changes"]


@pytest.mark.parametrize("path", HELD)
async def test_a_noun_is_out_of_reach_from_another_unit(
    city: TestNode, clerk: Headers, sign_in: SignIn, path: str
) -> None:
    kind, body, patch = HELD[path]
    make = group_of if kind == "group" else settle
    customer = await make(city, clerk, unit_code="440300-01")
    where = (await note(city, clerk, customer, path, body)).headers["location"]
    stranger = await sign_in(city, "clerk", unit="440300-02")
    wanting = {**stranger, "If-Match": '"2"', "Idempotency-Key": "x"}
    for method, url, given in (
        ("GET", where, None),
        ("GET", where.rsplit("/", 1)[0], None),
        ("POST", where.rsplit("/", 1)[0], body),
        ("PATCH", where, patch),
        ("DELETE", where, None),
    ):
        if (method, path) == ("DELETE", "interactions"):
            continue
        answer = await city.client.request(method, url, json=given, headers=wanting)
        assert answer.status_code == 404, (method, url, answer.text)
    assert (await city.client.get(where, headers=clerk)).status_code == 200


def replayed(changes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What history says is there now, by path of the item."""
    items: dict[str, dict[str, Any]] = {}
    for change in reversed(changes):
        for each in change["changes"]:
            item, field = each["field"].rsplit("/", 1)
            held = items.setdefault(item, {})
            assert held.get(field) == each["old"], each
            held[field] = each["new"]
    return {item: kept for item, kept in items.items() if any(v is not None for v in kept.values())}


@pytest.mark.parametrize("seed", range(4))
async def test_history_replayed_gives_what_is_there(
    city: TestNode, clerk: Headers, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeated
    group = await group_of(city, clerk)
    path, held = f"/customers/{group['id']}/key-persons", dict[str, Any]()
    version = 1
    for step in range(25):
        body = {
            "name": chance.choice("甲乙丙"),
            "influence": chance.choice([None, 1, 5]),
            "decision_order": chance.choice([None, 1, 2]),
            "title": chance.choice([None, "总经理"]),
        }
        current = {**clerk, "If-Match": f'"{version}"', "Idempotency-Key": str(step)}
        one = chance.choice(list(held)) if held else None
        if one is None or chance.random() < 0.4:
            answer = await city.client.post(path, json=body, headers=current)
            held[answer.json()["id"]] = answer.json()
        elif chance.random() < 0.7:
            some = dict(chance.sample(list(body.items()), 2))
            answer = await city.client.patch(f"{path}/{one}", json=some, headers=current)
            assert answer.json() == {**held[one], **some}
            held[one] = answer.json()
        else:
            answer = await city.client.delete(f"{path}/{one}", headers=current)
            del held[one]
        assert answer.status_code in {200, 201, 204}, answer.text
        version = int(answer.headers["etag"].strip('"'))
    changes = await city.client.get(f"/customers/{group['id']}/changes?limit=100", headers=clerk)
    added = [each for each in changes.json()["items"] if each["action"].startswith("part_")]
    assert len(added) == version - 1
    told = replayed(added)
    assert told.keys() == {f"key_persons/{item}" for item in held}
    for item, kept in held.items():
        values = told[f"key_persons/{item}"]
        assert all(values.get(name) == value for name, value in kept.items() if name != "id")


@pytest.mark.parametrize(
    "patch",
    [{"name": None}, {"influence": 6}, {"colour": "red"}, {"name": "a\u0000"}, [], {"phone": "x"}],
)
async def test_a_patch_that_does_not_fit_changes_nothing(
    city: TestNode, clerk: Headers, patch: Any
) -> None:
    group = await group_of(city, clerk)
    made = await note(city, clerk, group, "key-persons", {"name": "李娜", "influence": 3})
    where, current = made.headers["location"], {**clerk, "If-Match": '"2"'}
    refused = await city.client.patch(where, json=patch, headers=current)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"]
    assert (await city.client.get(where, headers=clerk)).json() == made.json()
