"""The tree of organisation units: what is in it from the start, who may grow it, who sees what."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from shared import organisation, staff
from shared.capability import Role
from shared.organisation.models import OrganisationUnit
from shared.organisation.service import ensure_divisions, path_of_division
from tests.conftest import MakeNode, TestNode

CAPABILITIES = (organisation.capability, staff.capability)
SignIn = Callable[..., Awaitable[dict[str, str]]]
URL = "/organisation/units"


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_node("440300", CAPABILITIES)


@pytest.fixture
async def operator(city: TestNode, sign_in: SignIn) -> dict[str, str]:
    return await sign_in(city, Role.OPERATOR)


def a_unit(code: str = "440300-01", parent: str = "440300", **given: Any) -> dict[str, Any]:
    return {
        "code": code,
        "parent_code": parent,
        "kind": "team",
        "name_zh": "大客户一组",
        "name_en": "Team 1",
    } | given


async def make(
    node: TestNode,
    headers: dict[str, str],
    code: str = "440300-01",
    parent: str = "440300",
    **given: Any,
) -> httpx.Response:
    answer = await node.client.post(URL, json=a_unit(code, parent, **given), headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


async def codes(node: TestNode, headers: dict[str, str], **query: Any) -> list[str]:
    answer = await node.client.get(URL, params={"limit": 500, **query}, headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["code"] for item in answer.json()["items"]]


async def paths(node: TestNode) -> list[str]:
    async with node.database.transaction() as session:
        return list(
            await session.scalars(select(OrganisationUnit.path).order_by(OrganisationUnit.path))
        )


# --- what is there from the start ---


async def test_a_city_knows_itself_and_those_above(city: TestNode) -> None:
    assert await paths(city) == ["000000/", "000000/440000/", "000000/440000/440300/"]


async def test_a_province_knows_its_cities_and_hq(make_node: MakeNode) -> None:
    found = await paths(await make_node("440000", CAPABILITIES))
    assert len(found) == 1 + 1 + 21
    assert found[:2] == ["000000/", "000000/440000/"]
    assert all(path.startswith("000000/440000/44") for path in found[2:])


async def test_hq_knows_every_division(make_node: MakeNode) -> None:
    assert len(await paths(await make_node("000000", CAPABILITIES))) == 1 + 31 + 337


async def test_starting_in_several_workers_at_once_adds_nothing_and_changes_nothing(
    make_node: MakeNode,
) -> None:
    province = await make_node("440000", CAPABILITIES)
    await asyncio.gather(*(ensure_divisions(province.context) for _ in range(6)))
    async with province.database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(OrganisationUnit)) == 23
        assert await session.scalar(select(func.max(OrganisationUnit.version))) == 1


async def test_a_division_that_a_release_renames_is_renamed_at_the_next_start(
    city: TestNode,
) -> None:
    async with city.database.transaction() as session:
        old = update(OrganisationUnit).where(OrganisationUnit.code == "440300")
        await session.execute(old.values(name_en="Shumchun"))
    await ensure_divisions(city.context)
    async with city.database.transaction() as session:
        unit = await session.get_one(OrganisationUnit, "440300")
        assert (unit.name_en, unit.version) == ("Shenzhen", 2)
        assert (await session.get_one(OrganisationUnit, "440000")).version == 1


def test_the_path_of_a_division() -> None:
    assert path_of_division("000000") == "000000/"
    assert path_of_division("440300") == "000000/440000/440300/"


# --- making units ---


async def test_a_team_is_made_below_the_city_and_can_be_read(
    city: TestNode, operator: dict[str, str]
) -> None:
    made = await make(city, operator)
    assert made.headers["Location"] == f"{URL}/440300-01"
    read = await city.client.get(made.headers["Location"], headers=operator)
    assert read.headers["ETag"] == made.headers["ETag"] == '"1"'
    body = read.json()
    assert body["path"] == "000000/440000/440300/440300-01/"
    assert (body["kind"], body["name_zh"], body["active"]) == ("team", "大客户一组", True)
    assert made.json()["path"] == body["path"]


async def test_a_hall_and_a_team_below_a_team(city: TestNode, operator: dict[str, str]) -> None:
    await make(city, operator, "440300-nanshan", kind="hall")
    below = await make(city, operator, "440300-nanshan-01", "440300-nanshan")
    assert below.json()["path"] == "000000/440000/440300/440300-nanshan/440300-nanshan-01/"


@pytest.mark.parametrize(
    "code",
    [
        "440300",
        "440300-",
        "440300-1",
        "440300-" + "a" * 21,
        "440300-A1",
        "440300-a_b",
        "440100-01",
        "440300-01-01",
        "440300-南山",
        "x",
    ],
)
async def test_a_code_that_does_not_follow_from_its_parents_is_refused(
    city: TestNode, operator: dict[str, str], code: str
) -> None:
    answer = await city.client.post(URL, json=a_unit(code), headers=operator)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:guanxi:problem:unit-code-invalid"
    assert answer.json()["errors"][0]["pointer"] == "/code"


async def test_a_taken_code_is_refused_and_the_unit_stays_as_it_was(
    city: TestNode, operator: dict[str, str]
) -> None:
    await make(city, operator)
    answer = await city.client.post(URL, json=a_unit(name_en="Another"), headers=operator)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:guanxi:problem:unit-exists"
    read = await city.client.get(f"{URL}/440300-01", headers=operator)
    assert read.json()["name_en"] == "Team 1"


@pytest.mark.parametrize("parent", ["440000", "000000", "440100", "440300-none"])
async def test_nothing_is_made_below_what_is_not_this_nodes(
    city: TestNode, operator: dict[str, str], parent: str
) -> None:
    answer = await city.client.post(URL, json=a_unit(f"{parent}-01", parent), headers=operator)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:guanxi:problem:parent-unusable"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "city"},
        {"name_zh": " "},
        {"name_en": ""},
        {"name_en": "x" * 101},
        {"extra": 1},
        {"name_zh": "\x00"},
    ],
)
async def test_a_malformed_unit_is_refused(
    city: TestNode, operator: dict[str, str], wrong: dict[str, Any]
) -> None:
    answer = await city.client.post(URL, json=a_unit(**wrong), headers=operator)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(wrong))}"


# --- changing units ---


async def change(
    node: TestNode, headers: dict[str, str], code: str, etag: str | None, **changes: Any
) -> httpx.Response:
    match = {} if etag is None else {"If-Match": etag}
    return await node.client.patch(f"{URL}/{code}", json=changes, headers={**headers, **match})


async def test_a_unit_is_renamed_under_its_version(
    city: TestNode, operator: dict[str, str]
) -> None:
    await make(city, operator)
    renamed = await change(city, operator, "440300-01", '"1"', name_en="Team One")
    assert (renamed.status_code, renamed.headers["ETag"]) == (200, '"2"')
    assert (renamed.json()["name_en"], renamed.json()["name_zh"]) == ("Team One", "大客户一组")
    assert (await change(city, operator, "440300-01", '"1"', name_en="x")).status_code == 412
    assert (await change(city, operator, "440300-01", None, name_en="x")).status_code == 428
    same = await change(city, operator, "440300-01", '"2"', name_en="Team One")
    assert same.headers["ETag"] == '"2"'


async def test_a_division_cannot_be_changed(city: TestNode, operator: dict[str, str]) -> None:
    answer = await change(city, operator, "440300", '"1"', active=False)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:guanxi:problem:division-fixed"


async def test_a_unit_is_closed_when_those_below_it_are(
    city: TestNode, operator: dict[str, str]
) -> None:
    await make(city, operator)
    await make(city, operator, "440300-01-aa", "440300-01")
    refused = await change(city, operator, "440300-01", '"1"', active=False)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:guanxi:problem:unit-in-use"
    assert "440300-01-aa" in refused.json()["detail"]
    assert (await change(city, operator, "440300-01-aa", '"1"', active=False)).status_code == 200
    assert (await change(city, operator, "440300-01", '"1"', active=False)).status_code == 200


async def test_nothing_is_made_or_opened_below_a_closed_unit(
    city: TestNode, operator: dict[str, str]
) -> None:
    await make(city, operator)
    await make(city, operator, "440300-01-aa", "440300-01")
    await change(city, operator, "440300-01-aa", '"1"', active=False)
    await change(city, operator, "440300-01", '"1"', active=False)
    made = await city.client.post(URL, json=a_unit("440300-01-bb", "440300-01"), headers=operator)
    assert made.json()["type"] == "urn:guanxi:problem:parent-unusable"
    opened = await change(city, operator, "440300-01-aa", '"2"', active=True)
    assert opened.json()["type"] == "urn:guanxi:problem:parent-unusable"
    assert (await change(city, operator, "440300-01", '"2"', active=True)).status_code == 200
    assert (await change(city, operator, "440300-01-aa", '"2"', active=True)).status_code == 200


async def test_making_and_closing_at_once_never_leaves_an_open_unit_below_a_closed_one(
    city: TestNode, operator: dict[str, str]
) -> None:
    for number in range(10, 20):
        team = f"440300-{number}"
        await make(city, operator, team)
        await asyncio.gather(
            change(city, operator, team, '"1"', active=False),
            city.client.post(URL, json=a_unit(f"{team}-aa", team), headers=operator),
        )
    async with city.database.transaction() as session:
        above = select(OrganisationUnit.code).where(~OrganisationUnit.active)
        below = select(func.count()).where(
            OrganisationUnit.parent_code.in_(above), OrganisationUnit.active
        )
        assert await session.scalar(below) == 0


# --- who sees and changes what ---


async def test_everyone_sees_their_own_unit_and_below_and_nothing_else(
    city: TestNode, operator: dict[str, str], sign_in: SignIn
) -> None:
    for code, parent in (
        ("440300-01", "440300"),
        ("440300-01-aa", "440300-01"),
        ("440300-02", "440300"),
        ("440300-011", "440300"),
    ):
        await make(city, operator, code, parent)
    assert await codes(city, operator) == [
        "440300",
        "440300-01",
        "440300-01-aa",
        "440300-011",
        "440300-02",
    ]
    clerk = await sign_in(city, Role.CLERK, "440300-01")
    assert await codes(city, clerk) == ["440300-01", "440300-01-aa"]
    for code, status in (
        ("440300-01-aa", 200),
        ("440300-02", 404),
        ("440300-011", 404),
        ("440300", 404),
        ("440000", 404),
    ):
        assert (await city.client.get(f"{URL}/{code}", headers=clerk)).status_code == status


async def test_a_supervisor_grows_the_tree_below_the_own_unit_alone(
    city: TestNode, operator: dict[str, str], sign_in: SignIn
) -> None:
    await make(city, operator)
    await make(city, operator, "440300-02")
    supervisor = await sign_in(city, Role.SUPERVISOR, "440300-01")
    await make(city, supervisor, "440300-01-aa", "440300-01")
    for parent in ("440300", "440300-02"):
        unit = a_unit(f"{parent}-zz", parent)
        answer = await city.client.post(URL, json=unit, headers=supervisor)
        assert answer.json()["type"] == "urn:guanxi:problem:parent-unusable"
    elsewhere = await change(city, supervisor, "440300-02", '"1"', name_en="Mine")
    assert elsewhere.status_code == 404


@pytest.mark.parametrize("role", [Role.CLERK, Role.ACCOUNT_MANAGER, Role.INTEGRATION])
async def test_others_see_and_change_nothing(city: TestNode, sign_in: SignIn, role: Role) -> None:
    headers = await sign_in(city, role)
    assert await codes(city, headers) == ["440300"]
    answer = await city.client.post(URL, json=a_unit(), headers=headers)
    assert answer.status_code == 403
    assert "organisation:manage" in answer.json()["detail"]
    assert (await change(city, headers, "440300", '"1"', name_en="x")).status_code == 403


async def test_without_signing_in_nothing_is_shown(city: TestNode) -> None:
    assert (await city.client.get(URL)).status_code == 401
    assert (await city.client.get(f"{URL}/440300")).status_code == 401


async def test_a_province_lists_by_kind_parent_state_and_place(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    province = await make_node("440000", CAPABILITIES)
    operator = await sign_in(province, Role.OPERATOR)
    await make(province, operator, "440000-vip", "440000")
    await make(province, operator, "440000-old", "440000")
    await change(province, operator, "440000-old", '"1"', active=False)
    assert len(await codes(province, operator)) == 1 + 21 + 2
    assert len(await codes(province, operator, kind="city")) == 21
    assert await codes(province, operator, kind="team") == ["440000-old", "440000-vip"]
    assert await codes(province, operator, active="false") == ["440000-old"]
    assert len(await codes(province, operator, parent="440000")) == 23
    assert await codes(province, operator, parent="440300") == []
    assert await codes(province, operator, within="440300") == ["440300"]
    assert await codes(province, operator, within="000000", kind="province") == ["440000"]
    assert await codes(province, operator, within="110000") == []


async def test_a_list_is_paged_and_shows_the_fields_that_are_asked_for(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    province = await make_node("440000", CAPABILITIES)
    operator = await sign_in(province, Role.OPERATOR)
    query: dict[str, Any] = {"limit": 9, "fields": "code,name_zh", "sort": "-code", "count": True}
    seen: list[str] = []
    while True:
        page = (await province.client.get(URL, params=query, headers=operator)).json()
        assert page["count"] == 22
        assert all(set(item) == {"code", "name_zh"} for item in page["items"])
        seen += [item["code"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 22


@pytest.mark.parametrize(
    "path",
    [f"{URL}/%00", f"{URL}/x'y", f"{URL}?within=%00", f"{URL}?parent=%00", f"{URL}?kind=village"],
)
async def test_what_can_be_no_code_is_refused_before_the_database_sees_it(
    city: TestNode, operator: dict[str, str], path: str
) -> None:
    answer = await city.client.get(path, headers=operator)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:guanxi:problem:input-invalid"
