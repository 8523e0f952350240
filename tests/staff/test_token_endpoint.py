"""Every grant of the token endpoint, and its refusals, as RFC 6749 has them."""

import base64

import pytest

from shared.capability import Role
from shared.staff.models import StaffKind
from tests.conftest import TestNode
from tests.staff.conftest import PASSWORD, Account, ask, me, refresh, tokens_of, with_password


async def test_a_person_signs_in_with_a_password(city: TestNode, account: Account) -> None:
    member = await account("li.wei", Role.ACCOUNT_MANAGER, "440300-01")
    answer = await with_password(city, "li.wei")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    given = answer.json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 15 * 60)
    assert given["scope"] == "customer:read customer:write organisation:read"
    said = (await me(city, given["access_token"])).json()
    assert said["id"] == str(member.id)
    assert (said["username"], said["role"], said["unit_code"]) == (
        "li.wei",
        "account_manager",
        "440300-01",
    )
    assert said["unit_path"] == "000000/440000/440300/440300-01/"
    assert said["permissions"] == ["customer:read", "customer:write", "organisation:read"]


@pytest.mark.parametrize("typed", ["LI.WEI", " li.wei ", "Li.Wei"])
async def test_a_username_is_taken_in_any_case(
    city: TestNode, account: Account, typed: str
) -> None:
    await account("Li.Wei")
    assert (await with_password(city, typed)).status_code == 200


async def test_a_password_is_taken_in_any_width_but_not_in_any_case(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in PASSWORD)
    assert (await with_password(city, "li.wei", wide)).status_code == 200
    assert (await with_password(city, "li.wei", PASSWORD.upper())).status_code == 400


async def test_wrong_password_unknown_name_disabled_account_and_a_service_are_told_the_same(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    await account("billing", Role.INTEGRATION, kind=StaffKind.SERVICE)
    disabled = await account("wang.fang")
    async with city.database.transaction() as session:
        (await session.get_one(type(disabled), disabled.id)).active = False
    answers = [
        await with_password(city, "li.wei", "wrong-password-1"),
        await with_password(city, "nobody"),
        await with_password(city, "wang.fang"),
        await with_password(city, "billing"),
        await with_password(city, "x\x00y"),
        await with_password(city, "x" * 5000),
        await with_password(city, "li.wei", "x" * 100_000),
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["error"] == "invalid_grant"
    assert "WWW-Authenticate" not in answers[0].headers


async def test_a_refusal_has_the_members_of_both_standards_and_the_readers_language(
    city: TestNode,
) -> None:
    form = {"grant_type": "password", "username": "nobody", "password": PASSWORD}
    for language, words in (("en", "or the password is wrong"), ("zh-CN", "用户名或密码错误")):
        answer = await ask(city, {"Accept-Language": language}, **form)
        body = answer.json()
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Language"] == language[:2]
        assert words in body["detail"]
        assert (body["type"], body["status"]) == ("urn:guanxi:problem:password-wrong", 400)
        assert "the password is wrong" in body["error_description"]
        assert body["error_description"].isascii()
        assert not set(body["error_description"]) & set('"\\')


@pytest.mark.parametrize(
    ("form", "error", "named"),
    [
        ({}, "invalid_request", "grant_type"),
        ({"grant_type": ""}, "invalid_request", "grant_type"),
        ({"grant_type": "password"}, "invalid_request", "username"),
        ({"grant_type": "password", "username": "x"}, "invalid_request", "password"),
        ({"grant_type": "refresh_token"}, "invalid_request", "refresh_token"),
        ({"grant_type": "client_credentials"}, "invalid_request", "client_id"),
        (
            {"grant_type": "client_credentials", "client_id": "x"},
            "invalid_request",
            "client_secret",
        ),
        ({"grant_type": "implicit"}, "unsupported_grant_type", "implicit"),
        ({"grant_type": "中"}, "unsupported_grant_type", "grant_type"),
        ({"grant_type": 'a"b\\c'}, "unsupported_grant_type", "a'b/c"),
    ],
)
async def test_an_incomplete_request_is_told_what_it_lacks(
    city: TestNode, form: dict[str, str], error: str, named: str
) -> None:
    answer = await ask(city, **form)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert named in answer.json()["error_description"]
    assert answer.json()["error_description"].isascii()


async def test_a_request_that_is_no_form_is_refused_in_the_same_form(city: TestNode) -> None:
    as_json = await city.client.post("/oauth/token", json={"grant_type": "password"})
    file = await city.client.post("/oauth/token", files={"grant_type": ("x", b"password")})
    for answer in (as_json, file):
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_request"


# --- services ---


async def test_a_service_signs_in_with_its_secret_in_the_body(
    city: TestNode, account: Account
) -> None:
    await account("billing", Role.INTEGRATION, kind=StaffKind.SERVICE)
    answer = await ask(
        city, grant_type="client_credentials", client_id="billing", client_secret=PASSWORD
    )
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json() or answer.json()["refresh_token"] is None
    said = (await me(city, answer.json()["access_token"])).json()
    assert (said["username"], said["kind"], said["role"]) == ("billing", "service", "integration")


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


@pytest.mark.parametrize(
    "pair", [f"billing:{PASSWORD}", f"bill%69ng:{PASSWORD.replace('-', '%2D')}"]
)
async def test_a_service_signs_in_by_http_basic_form_encoded_or_plain(
    city: TestNode, account: Account, pair: str
) -> None:
    await account("billing", Role.INTEGRATION, kind=StaffKind.SERVICE)
    answer = await ask(city, basic(pair), grant_type="client_credentials")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        basic("billing:wrong-secret-1"),
        basic(f"nobody:{PASSWORD}"),
        basic(f"li.wei:{PASSWORD}"),
        basic("no colon"),
        {"Authorization": "Basic ***"},
        {"Authorization": "Basic /w=="},
    ],
)
async def test_a_wrong_client_is_refused_with_401_and_a_challenge(
    city: TestNode, account: Account, headers: dict[str, str]
) -> None:
    await account("billing", Role.INTEGRATION, kind=StaffKind.SERVICE)
    await account("li.wei")
    answer = await ask(city, headers, grant_type="client_credentials")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


async def test_what_interactive_documentation_sends_beside_a_password_is_ignored(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    form = {"grant_type": "password", "username": "li.wei", "password": PASSWORD, "scope": ""}
    assert (await ask(city, basic(":"), **form)).status_code == 200


# --- scope ---


async def test_a_token_can_be_asked_for_with_less_than_the_role_holds(
    city: TestNode, account: Account
) -> None:
    await account("li.wei", Role.ACCOUNT_MANAGER)
    given = await tokens_of(city, "li.wei", scope="customer:read")
    assert given["scope"] == "customer:read"
    said = (await me(city, given["access_token"])).json()
    assert said["permissions"] == ["customer:read"]
    again = await refresh(city, given["refresh_token"])
    assert again.json()["scope"] == "customer:read"
    wider = await refresh(city, again.json()["refresh_token"], scope="customer:write")
    assert wider.json()["error"] == "invalid_scope"


async def test_a_token_cannot_be_asked_for_with_more(city: TestNode, account: Account) -> None:
    await account("li.wei", Role.CLERK)
    answer = await with_password(city, "li.wei", scope="customer:read customer:write")
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_scope"
    assert "customer:write" in answer.json()["error_description"]


# --- the key ---


async def test_the_token_key_is_published_without_signing_in(city: TestNode) -> None:
    answer = await city.client.get("/oauth/jwks")
    assert answer.status_code == 200
    (key,) = answer.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "Ed25519")
    assert "d" not in key


async def test_the_token_endpoint_is_documented_as_a_form(city: TestNode) -> None:
    document = (await city.client.get("/openapi.json")).json()
    operation = document["paths"]["/oauth/token"]["post"]
    assert list(operation["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
    assert {"200", "400", "401", "429"} <= set(operation["responses"])
