"""Target groups: living, locked, refreshed, compared, and seen by whom."""

from typing import Any

import pytest
from sqlalchemy import text

from services.city_node import customer as customers
from services.city_node import customer_import, query, segment
from shared import organisation, staff, work
from shared.capability import Role
from tests.city.drafts import CITY, TEAM, Headers, SignIn, _team, settle
from tests.conftest import MakeNode, TestNode

CAPABILITIES = (
    *(organisation.capability, staff.capability, customers.capability, work.capability),
    *(customer_import.capability, query.capability, segment.capability),
)


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    node = await make_node(CITY, CAPABILITIES)
    async with node.database.transaction() as session:
        session.add(_team(TEAM, node.clock.now()))
    return node


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


@pytest.fixture
async def people(city: TestNode, supervisor: Headers) -> list[dict[str, Any]]:
    """Four of gold and two of diamond; the first three are of the team."""
    return [
        await settle(
            city,
            supervisor,
            at,
            level="gold" if at < 4 else "diamond",
            unit_code=TEAM if at < 3 else CITY,
        )
        for at in range(6)
    ]


async def make(
    city: TestNode, headers: Headers, condition: Any = "level = gold", name: str = "Gold"
) -> dict[str, Any]:
    body = {"name": name, "condition": condition}
    answer = await city.client.post("/segments", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == '"1"'
    return made


async def act(
    city: TestNode, headers: Headers, kept: dict[str, Any], verb: str, status: int = 200
) -> dict[str, Any]:
    tag = {**headers, "If-Match": f'"{kept["version"]}"'}
    answer = await city.client.post(f"/segments/{kept['id']}/{verb}", headers=tag)
    assert answer.status_code == status, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def members(city: TestNode, headers: Headers, kept: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        path = f"/segments/{kept['id']}/members?limit=2&fields=id" + (
            f"&cursor={cursor}" if cursor else ""
        )
        page = (await city.client.get(path, headers=headers)).json()
        ids = {item["id"] for item in page["items"]}
        assert not ids & found
        found |= ids
        cursor = page["next"]
    count = (await city.client.get(f"/segments/{kept['id']}/count", headers=headers)).json()
    assert count == {"count": len(found)}
    return found


async def promote(city: TestNode, headers: Headers, person: dict[str, Any]) -> None:
    tag = {**headers, "If-Match": f'"{person["version"]}"'}
    answer = await city.client.patch(
        f"/customers/{person['id']}", json={"level": "gold"}, headers=tag
    )
    assert answer.status_code == 200, answer.text


async def test_a_living_segment_follows_and_a_locked_one_stays(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    gold = {person["id"] for person in people[:4]}
    kept = await make(city, supervisor)
    assert (kept["mode"], kept["text"]) == ("living", "level = gold")
    assert await members(city, supervisor, kept) == gold
    locked = await act(city, supervisor, kept, "lock")
    assert (locked["mode"], locked["member_count"], locked["list_version"]) == ("locked", 4, 2)
    await promote(city, supervisor, people[4])
    assert await members(city, supervisor, locked) == gold
    refreshed = await act(city, supervisor, locked, "refresh")
    assert (refreshed["member_count"], refreshed["list_version"]) == (5, 3)
    assert await members(city, supervisor, refreshed) == gold | {people[4]["id"]}
    unlocked = await act(city, supervisor, refreshed, "unlock")
    await promote(city, supervisor, people[5])
    assert await members(city, supervisor, unlocked) == {person["id"] for person in people}
    path = f"/segments/{kept['id']}/versions?fields=version,act,member_count"
    history = (await city.client.get(path, headers=supervisor)).json()["items"]
    assert [(v["version"], v["act"], v["member_count"]) for v in history] == [
        (4, "unlocked", None),
        (3, "refreshed", 5),
        (2, "locked", 4),
        (1, "created", None),
    ]


async def test_what_does_not_fit_the_mode_or_the_version_is_refused(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    kept = await make(city, supervisor)
    await act(city, supervisor, kept, "unlock", 409)
    await act(city, supervisor, kept, "refresh", 409)
    locked = await act(city, supervisor, kept, "lock")
    await act(city, supervisor, kept, "unlock", 412)
    await act(city, supervisor, locked, "lock", 409)
    path, tag = f"/segments/{kept['id']}", {**supervisor, "If-Match": '"2"'}
    other = {"condition": "level = diamond"}
    assert (await city.client.patch(path, json=other, headers=tag)).status_code == 409
    assert (await city.client.patch(path, json=other, headers=supervisor)).status_code == 428
    renamed = await city.client.patch(path, json={"name": "Golden"}, headers=tag)
    assert (renamed.json()["name"], renamed.headers["etag"]) == ("Golden", '"3"')
    same = {**supervisor, "If-Match": '"3"'}
    again = await city.client.patch(path, json={"name": "Golden"}, headers=same)
    assert again.headers["etag"] == '"3"'


async def test_a_name_is_taken_once_in_a_unit(city: TestNode, supervisor: Headers) -> None:
    kept = await make(city, supervisor)
    body = {"name": " Gold ", "condition": "level = diamond"}
    taken = await city.client.post("/segments", json=body, headers=supervisor)
    assert (taken.status_code, taken.json()["type"]) == (
        409,
        "urn:guanxi:problem:segment-name-taken",
    )
    body["unit_code"] = TEAM
    assert (await city.client.post("/segments", json=body, headers=supervisor)).status_code == 201
    tag = {**supervisor, "If-Match": '"1"'}
    path = f"/segments/{kept['id']}"
    assert (await city.client.delete(path, headers=tag)).status_code == 204
    assert (await city.client.get(path, headers=supervisor)).status_code == 404
    await make(city, supervisor)


async def test_units_see_their_own(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]], sign_in: SignIn
) -> None:
    of_city = await make(city, supervisor)
    team = await sign_in(city, Role.SUPERVISOR, TEAM)
    of_team = await make(city, team, "library = in_network", "Ours")
    assert (await city.client.get(f"/segments/{of_city['id']}", headers=team)).status_code == 404
    listed = (await city.client.get("/segments", headers=team)).json()["items"]
    assert [item["id"] for item in listed] == [of_team["id"]]
    # The city's supervisor sees the team's segment: it selects within the team all the same.
    team_members = {person["id"] for person in people[:3]}
    assert await members(city, supervisor, of_team) == team_members
    locked = await act(city, supervisor, of_team, "lock")
    assert locked["member_count"] == 3
    clerk = await sign_in(city, Role.CLERK)
    assert (await city.client.get("/segments", headers=clerk)).status_code == 200
    answer = await city.client.post(
        "/segments", json={"name": "x", "condition": "level = gold"}, headers=clerk
    )
    assert answer.status_code == 403


async def test_what_a_reader_may_not_see_selects_nobody_for_them(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    kept = await make(city, supervisor, "birth_date < 1980-01-01")
    program = await sign_in(city, Role.INTEGRATION)
    for verb in ("members", "count"):
        answer = await city.client.get(f"/segments/{kept['id']}/{verb}", headers=program)
        assert answer.status_code == 403, answer.text
    body = {"name": "x", "condition": 'document = "P1"'}
    answer = await city.client.post("/segments", json=body, headers=supervisor)
    assert answer.json()["type"] == "urn:guanxi:problem:condition-forbidden"


async def test_two_segments_are_compared(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    gold = await act(city, supervisor, await make(city, supervisor), "lock")
    team = await make(city, supervisor, f'unit within "{TEAM}" or level = diamond', "Team")
    path = f"/segments/{gold['id']}/comparison/{team['id']}"
    counts = (await city.client.get(path, headers=supervisor)).json()
    assert counts == {
        "first": 4,
        "second": 5,
        "both": 3,
        "only_first": 1,
        "only_second": 2,
        "either": 6,
    }
    expected = {"both": people[:3], "only_first": people[3:4], "only_second": people[4:]}
    for part, folk in {**expected, "either": people}.items():
        page = (await city.client.get(f"{path}/{part}", headers=supervisor)).json()
        assert {item["id"] for item in page["items"]} == {person["id"] for person in folk}


async def test_a_condition_is_counted_before_it_is_kept(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]], sign_in: SignIn
) -> None:
    body = {"condition": {"field": "level", "operator": "=", "value": "gold"}}
    team = await sign_in(city, Role.CLERK, TEAM)
    for headers, number in ((supervisor, 4), (team, 3)):
        answer = await city.client.post("/segments/preview", json=body, headers=headers)
        assert answer.json() == {"count": number}


async def test_what_is_done_with_a_segment_is_in_the_audit_log(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    kept = await make(city, supervisor)
    path, tag = f"/segments/{kept['id']}", {**supervisor, "If-Match": '"1"'}
    changed = await city.client.patch(path, json={"name": "金卡"}, headers=tag)
    unchanged = await city.client.patch(
        path, json={"name": "金卡"}, headers={**supervisor, "If-Match": '"2"'}
    )
    assert unchanged.json()["version"] == changed.json()["version"] == 2
    kept = changed.json()
    for verb in ("lock", "refresh", "unlock"):
        kept = await act(city, supervisor, kept, verb)
    tag = {**supervisor, "If-Match": f'"{kept["version"]}"'}
    assert (await city.client.delete(path, headers=tag)).status_code == 204
    async with city.database.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT action, subject_id, fields, detail, by, unit_code FROM audit_record"
                " WHERE subject_type = 'segment' ORDER BY id"
            )
        )
        records = rows.all()
    assert {one.subject_id for one in records} == {kept["id"]}
    assert {one.unit_code for one in records} == {CITY}
    assert all(one.by.startswith("supervisor") for one in records)
    assert [(one.action, one.fields, one.detail) for one in records] == [
        ("segment.created", ["condition", "name"], {"version": 1, "members": None}),
        ("segment.changed", ["name"], {"version": 2, "members": None}),
        ("segment.locked", [], {"version": 3, "members": 4}),
        ("segment.refreshed", [], {"version": 4, "members": 4}),
        ("segment.unlocked", [], {"version": 5, "members": None}),
        ("segment.deleted", [], {"version": 6, "members": None}),
    ]
    assert "gold" not in str(records)
    assert len(people) == 6


async def test_a_name_that_is_taken_cannot_be_changed_to(
    city: TestNode, supervisor: Headers
) -> None:
    one = await make(city, supervisor)
    await make(city, supervisor, name="Other")
    tag = {**supervisor, "If-Match": '"1"'}

    refused = await city.client.patch(f"/segments/{one['id']}", json={"name": "Other"}, headers=tag)

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "/name")
