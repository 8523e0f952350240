"""Who may make and change which accounts, over HTTP."""

import itertools
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.access import Principal
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.kernel.tier import Tier
from shared.staff.management import may_manage
from shared.staff.models import StaffKind
from shared.staff.service import ROLES
from tests.conftest import MakeNode, TestNode
from tests.staff.conftest import (
    CAPABILITIES,
    PASSWORD,
    Account,
    add_teams,
    bearer,
    me,
    tokens_of,
    with_password,
)

CITY, TEAM, PART, OTHER = "440300", "440300-01", "440300-01-aa", "440300-02"
PATHS = {
    "440000": "000000/440000/",
    CITY: "000000/440000/440300/",
    TEAM: "000000/440000/440300/440300-01/",
    PART: "000000/440000/440300/440300-01/440300-01-aa/",
    OTHER: "000000/440000/440300/440300-02/",
}


def new(
    username: str = "li.wei", role: Role = Role.CLERK, unit: str = CITY, **given: Any
) -> dict[str, Any]:
    return {"username": username, "role": role, "unit_code": unit, "password": PASSWORD} | given


async def post(node: TestNode, headers: dict[str, str], **body: Any) -> httpx.Response:
    return await node.client.post("/staff", json=body, headers=headers)


async def patch(
    node: TestNode, headers: dict[str, str], member: UUID | str, etag: str = '"1"', **change: Any
) -> httpx.Response:
    match = {**headers, "If-Match": etag}
    return await node.client.patch(f"/staff/{member}", json=change, headers=match)


def slug(answer: httpx.Response) -> str:
    kind: str = answer.json()["type"]
    return kind.removeprefix("urn:guanxi:problem:")


# --- the rule ---


def a_principal(role: Role, unit: str) -> Principal:
    return Principal(new_id(), "x", role, unit, PATHS[unit], frozenset(), new_id())


PERSONS = {
    # role and unit of the manager: what it manages where, by role and unit
    (Role.OPERATOR, CITY): set(itertools.product(Role, (CITY, TEAM, PART, OTHER))),
    (Role.OPERATOR, TEAM): set(itertools.product(Role, (TEAM, PART))),
    (Role.SUPERVISOR, CITY): {
        *itertools.product((Role.CLERK, Role.ACCOUNT_MANAGER), (CITY, TEAM, PART, OTHER)),
        *itertools.product((Role.SUPERVISOR,), (TEAM, PART, OTHER)),
    },
    (Role.SUPERVISOR, TEAM): {
        *itertools.product((Role.CLERK, Role.ACCOUNT_MANAGER), (TEAM, PART)),
        (Role.SUPERVISOR, PART),
    },
}


@pytest.mark.parametrize(("role", "unit"), list(itertools.product(Role, (CITY, TEAM))))
def test_who_manages_whom(role: Role, unit: str) -> None:
    managed = {
        (other, place)
        for other, place in itertools.product(Role, PATHS)
        if may_manage(a_principal(role, unit), other, StaffKind.PERSON, PATHS[place])
    }
    assert managed == PERSONS.get((role, unit), set())


def test_only_operators_manage_services() -> None:
    for role in Role:
        allowed = may_manage(a_principal(role, CITY), Role.CLERK, StaffKind.SERVICE, PATHS[TEAM])
        assert allowed == (role is Role.OPERATOR)


# --- making accounts ---


async def test_an_account_is_made_can_be_read_and_signs_in(city: TestNode) -> None:
    operator = await bearer(city, "founder")
    made = await post(city, operator, **new("Li.Wei", display_name=" 李伟 "))
    assert made.status_code == 201
    body = made.json()
    assert (body["username"], body["display_name"], body["kind"]) == ("li.wei", "李伟", "person")
    assert "password" not in made.text
    assert "argon2" not in made.text
    read = await city.client.get(made.headers["Location"], headers=operator)
    assert read.headers["ETag"] == made.headers["ETag"] == '"1"'
    assert read.json()["id"] == body["id"]
    assert "argon2" not in read.text
    assert (await with_password(city, "li.wei")).status_code == 200


@pytest.mark.parametrize("username", ["li.wei", "LI.WEI", "Li.Wei"])
async def test_a_username_is_unique_in_any_case(
    city: TestNode, account: Account, username: str
) -> None:
    await account("li.wei")
    answer = await post(city, await bearer(city, "founder"), **new(username))
    assert (answer.status_code, slug(answer)) == (409, "username-taken")


@pytest.mark.parametrize(
    "username", ["", "x", ".li", "li wei", "李伟", "li\x00", "li/wei", "-li", "li@wei", "K" * 65]
)
async def test_a_username_of_another_form_is_refused(city: TestNode, username: str) -> None:
    answer = await post(city, await bearer(city, "founder"), **new(username))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/username"


@pytest.mark.parametrize("password", ["", "short", "li.wei.li.wei"])
async def test_an_unfit_password_is_refused(city: TestNode, password: str) -> None:
    body = new("li.wei.li.wei", password=password)
    answer = await post(city, await bearer(city, "founder"), **body)
    assert (answer.status_code, slug(answer)) == (422, "password-unfit")
    assert answer.json()["errors"][0]["pointer"] == "/password"


async def test_there_is_no_default_password(city: TestNode) -> None:
    body = new()
    del body["password"]
    answer = await post(city, await bearer(city, "founder"), **body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/password"


@pytest.mark.parametrize("unit", ["440000", "000000", "440100", "440300-none", "440300-03"])
async def test_nobody_belongs_to_a_unit_that_is_not_this_nodes(city: TestNode, unit: str) -> None:
    answer = await post(city, await bearer(city, "founder"), **new(unit=unit))
    assert (answer.status_code, slug(answer)) == (422, "unit-unusable")


async def test_nobody_joins_a_closed_unit(city: TestNode) -> None:
    operator = await bearer(city, "founder")
    closed = await city.client.patch(
        f"/organisation/units/{OTHER}",
        json={"active": False},
        headers={**operator, "If-Match": '"1"'},
    )
    assert closed.status_code == 200
    assert slug(await post(city, operator, **new(unit=OTHER))) == "unit-unusable"


@pytest.mark.parametrize(
    ("code", "tier"), [("440300", Tier.CITY), ("440000", Tier.PROVINCE), ("000000", Tier.HQ)]
)
async def test_a_node_has_the_roles_of_its_tier_and_no_others(
    make_node: MakeNode, code: str, tier: Tier
) -> None:
    node = await make_node(code, CAPABILITIES)
    await add_teams(node)
    operator = await bearer(node, "founder")
    for role in Role:
        answer = await post(node, operator, **new(f"a-{role}", role, code))
        if role in ROLES[tier]:
            assert answer.status_code == 201
        else:
            assert (answer.status_code, slug(answer)) == (422, "role-not-of-this-tier")
            assert role in answer.json()["detail"]
            assert ROLES[tier][0] in answer.json()["detail"]


# --- a supervisor does not become more ---


async def test_a_supervisor_makes_clerks_and_account_managers_below_and_nobody_above(
    city: TestNode, account: Account
) -> None:
    await account("boss", Role.SUPERVISOR, TEAM)
    boss = await bearer(city, "boss")
    for number, (role, unit) in enumerate(
        [(Role.CLERK, TEAM), (Role.ACCOUNT_MANAGER, PART), (Role.SUPERVISOR, PART)]
    ):
        assert (await post(city, boss, **new(f"fine-{number}", role, unit))).status_code == 201
    for role, unit in [
        (Role.SUPERVISOR, TEAM),
        (Role.OPERATOR, TEAM),
        (Role.OPERATOR, PART),
        (Role.INTEGRATION, PART),
        (Role.CLERK, OTHER),
        (Role.CLERK, CITY),
    ]:
        answer = await post(city, boss, **new("more", role, unit))
        assert (answer.status_code, slug(answer)) == (403, "staff-beyond-authority")
    service = await post(city, boss, **new("robot", Role.CLERK, TEAM, kind="service"))
    assert service.status_code == 403


async def test_a_supervisor_raises_nobody_above_and_changes_nobody_above(
    city: TestNode, account: Account
) -> None:
    boss_member = await account("boss", Role.SUPERVISOR, TEAM)
    boss = await bearer(city, "boss")
    clerk = await account("clerk", Role.CLERK, TEAM)
    peer = await account("peer", Role.SUPERVISOR, TEAM)
    above = await account("above", Role.OPERATOR, TEAM)
    for role in (Role.SUPERVISOR, Role.OPERATOR, Role.INTEGRATION):
        assert (await patch(city, boss, clerk.id, role=role)).status_code == 403
    for unit in (OTHER, CITY):
        assert (await patch(city, boss, clerk.id, unit_code=unit)).status_code == 403
    for member in (peer, above, boss_member):
        assert (await patch(city, boss, member.id, active=False)).status_code == 403
        assert (await patch(city, boss, member.id, role=Role.OPERATOR)).status_code == 403
        taken = await city.client.post(
            f"/staff/{member.id}/password", json={"password": PASSWORD + "x"}, headers=boss
        )
        assert taken.status_code == (409 if member is boss_member else 403)
    for username in ("peer", "above", "boss"):
        assert (await with_password(city, username)).status_code == 200
    raised = await patch(city, boss, clerk.id, role=Role.SUPERVISOR, unit_code=PART)
    assert raised.status_code == 200


async def test_who_is_out_of_scope_is_not_there(city: TestNode, account: Account) -> None:
    await account("boss", Role.SUPERVISOR, TEAM)
    boss = await bearer(city, "boss")
    member = await account("far", Role.CLERK, OTHER)
    url = f"/staff/{member.id}"
    assert slug(await city.client.get(url, headers=boss)) == "staff-member-not-found"
    assert slug(await city.client.get(f"{url}/changes", headers=boss)) == "staff-member-not-found"
    assert slug(await patch(city, boss, member.id, active=False)) == "staff-member-not-found"
    setting = {"password": PASSWORD + "x"}
    answer = await city.client.post(f"{url}/password", json=setting, headers=boss)
    assert slug(answer) == "staff-member-not-found"


@pytest.mark.parametrize("role", [Role.CLERK, Role.ACCOUNT_MANAGER, Role.INTEGRATION])
async def test_others_manage_nobody(city: TestNode, account: Account, role: Role) -> None:
    member = await account("somebody", role)
    headers = await bearer(city, "somebody")
    answers = [
        await post(city, headers, **new()),
        await patch(city, headers, member.id, role=Role.OPERATOR),
        await city.client.post(
            f"/staff/{member.id}/password", json={"password": PASSWORD}, headers=headers
        ),
        await city.client.get("/staff", headers=headers),
        await city.client.get(f"/staff/{member.id}", headers=headers),
    ]
    assert [slug(answer) for answer in answers] == ["permission-missing"] * 5
    assert "staff:manage" in answers[0].json()["detail"]
    assert "supervisor, operator" in answers[0].json()["detail"]


async def test_without_signing_in_nothing_is_shown_or_done(city: TestNode) -> None:
    for method, path in (
        ("GET", "/staff"),
        ("POST", "/staff"),
        ("GET", "/staff/me"),
        ("POST", "/staff/me/password"),
        ("GET", f"/staff/{new_id()}"),
        ("PATCH", f"/staff/{new_id()}"),
        ("POST", f"/staff/{new_id()}/password"),
        ("GET", f"/staff/{new_id()}/changes"),
    ):
        answer = await city.client.request(method, path)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


# --- one's own account ---


async def test_an_operator_does_not_change_the_own_role_unit_state_or_password_here(
    city: TestNode, account: Account
) -> None:
    member = await account("root", Role.OPERATOR)
    root = await bearer(city, "root")
    for change in ({"role": "clerk"}, {"unit_code": TEAM}, {"active": False}):
        assert slug(await patch(city, root, member.id, **change)) == "own-account"
    url = f"/staff/{member.id}/password"
    answer = await city.client.post(url, json={"password": PASSWORD + "x"}, headers=root)
    assert slug(answer) == "own-account"
    assert (await patch(city, root, member.id, display_name="Root")).status_code == 200


# --- changing and listing ---


async def test_a_change_needs_the_present_version_and_only_a_real_one_makes_a_new(
    city: TestNode, account: Account
) -> None:
    operator = await bearer(city, "founder")
    member = await account("li.wei")
    given = await tokens_of(city, "li.wei")
    same = await patch(city, operator, member.id, role="clerk", active=True)
    assert (same.status_code, same.headers["ETag"]) == (200, '"1"')
    assert (await me(city, given["access_token"])).status_code == 200
    changed = await patch(city, operator, member.id, display_name="李伟")
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (await patch(city, operator, member.id, display_name="x")).status_code == 412
    without = await city.client.patch(
        f"/staff/{member.id}", json={"display_name": "x"}, headers=operator
    )
    assert without.status_code == 428


async def test_the_history_says_who_when_old_and_new_and_no_hash(
    city: TestNode, account: Account
) -> None:
    operator = await bearer(city, "founder")
    made = (await post(city, operator, **new())).json()
    url = f"/staff/{made['id']}"
    await patch(city, operator, made["id"], role="account_manager", display_name="李伟")
    await city.client.post(f"{url}/password", json={"password": PASSWORD + "x"}, headers=operator)
    answer = await city.client.get(f"{url}/changes", headers=operator)
    entries = answer.json()["items"]
    assert [entry["action"] for entry in entries] == ["created", "changed", "password"]
    assert {entry["changed_by"] for entry in entries} == {"founder"}
    assert entries[0]["changes"]["role"] == {"old": None, "new": "clerk"}
    assert entries[1]["changes"] == {
        "role": {"old": "clerk", "new": "account_manager"},
        "display_name": {"old": "li.wei", "new": "李伟"},
    }
    assert entries[2]["changes"] == {}
    assert "argon2" not in answer.text
    assert PASSWORD not in answer.text


async def test_staff_are_listed_by_scope_role_unit_kind_state_and_name(
    city: TestNode, account: Account
) -> None:
    operator = await bearer(city, "founder")
    await account("anna", Role.CLERK, TEAM)
    await account("boss", Role.SUPERVISOR, TEAM)
    await account("carl", Role.CLERK, PART)
    dora = await account("dora", Role.ACCOUNT_MANAGER, OTHER)
    await account("robot", Role.INTEGRATION, CITY, StaffKind.SERVICE)
    await patch(city, operator, dora.id, active=False)

    async def names(headers: dict[str, str], **query: Any) -> list[str]:
        answer = await city.client.get("/staff", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "argon2" not in answer.text
        return [item["username"] for item in answer.json()["items"]]

    assert await names(operator) == ["anna", "boss", "carl", "dora", "founder", "robot"]
    assert await names(await bearer(city, "boss")) == ["anna", "boss", "carl"]
    assert await names(operator, role="clerk") == ["anna", "carl"]
    assert await names(operator, unit=TEAM) == ["anna", "boss"]
    assert await names(operator, within=TEAM, sort="-username") == ["carl", "boss", "anna"]
    assert await names(operator, kind="service") == ["robot"]
    assert await names(operator, active="false") == ["dora"]
    assert await names(operator, username="ANNA") == ["anna"]
    page = await city.client.get("/staff?limit=4&fields=username&count=true", headers=operator)
    assert page.json()["count"] == 6
    following = f"/staff?fields=username&cursor={page.json()['next']}"
    rest = (await city.client.get(following, headers=operator)).json()
    assert rest == {"items": [{"username": "founder"}, {"username": "robot"}], "next": None}
