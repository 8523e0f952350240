"""What an endpoint that asks for a permission lets through, and how it refuses."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Depends, FastAPI, Response

from shared.access import (
    Authenticated,
    Grants,
    OnceDependency,
    Principal,
    TokenKeeper,
    require,
)
from shared.capability import Role
from shared.kernel import idempotency, problems
from shared.kernel.clock import HandClock
from shared.kernel.database import Database
from shared.kernel.ids import new_id

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
GRANTS = Grants(
    MappingProxyType(
        {
            Role.CLERK: frozenset({"customer:read"}),
            Role.SUPERVISOR: frozenset({"customer:read", "customer:retire"}),
            Role.OPERATOR: frozenset({"customer:retire"}),
        }
    )
)


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    idempotency.install(app)
    app.state.clock = HandClock(NOW)
    app.state.grants = GRANTS
    app.state.tokens = TokenKeeper(
        "440300", Ed25519PrivateKey.generate(), GRANTS, timedelta(minutes=15)
    )
    app.state.paid = 0

    @app.get("/me")
    async def me(principal: Authenticated) -> str:
        return principal.username

    @app.get("/retire")
    async def retire(
        principal: Annotated[Principal, Depends(require("customer:retire"))],
    ) -> str:
        return principal.username

    @app.post("/pay")
    async def pay(
        principal: Annotated[Principal, Depends(require("customer:read"))], once: OnceDependency
    ) -> Response:
        app.state.paid += 1
        return await once.answer(201, {"payer": principal.username, "number": app.state.paid})

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://440300") as client:
        yield client


def token(app: FastAPI, role: Role, username: str = "li.wei", scope: str | None = None) -> str:
    held = GRANTS.held_by(role)
    principal = Principal(
        id=new_id(),
        username=username,
        role=role,
        unit="440300",
        unit_path="000000/440000/440300/",
        permissions=held if scope is None else held & frozenset(scope.split()),
        session_id=new_id(),
    )
    signed: str = app.state.tokens.sign(principal, now=app.state.clock.now())
    return signed


def bearer(signed: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed}"}


async def test_whoever_holds_the_permission_passes(app: FastAPI, client: httpx.AsyncClient) -> None:
    for role in (Role.SUPERVISOR, Role.OPERATOR):
        answer = await client.get("/retire", headers=bearer(token(app, role)))
        assert (answer.status_code, answer.json()) == (200, "li.wei")


async def test_the_scheme_is_taken_in_any_case(app: FastAPI, client: httpx.AsyncClient) -> None:
    signed = token(app, Role.CLERK)
    answer = await client.get("/me", headers={"Authorization": f"bEaReR {signed}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic bGk6d2Vp"])
async def test_without_a_token_the_answer_is_401_and_says_where_to_get_one(
    client: httpx.AsyncClient, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await client.get("/retire", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="guanxi"'
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:guanxi:problem:sign-in-required"
    assert "POST /oauth/token" in answer.json()["detail"]
    assert answer.json()["errors"] == [
        {"pointer": "header:Authorization", "detail": "no bearer token"}
    ]
    answer = await client.get("/retire", headers={**headers, "Accept-Language": "zh"})
    assert answer.json()["errors"][0]["detail"] == "缺少 Bearer 令牌"


async def test_each_kind_of_bad_token_has_its_sentence_in_both_languages(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    expired, revoked = token(app, Role.CLERK), token(app, Role.CLERK)
    app.state.tokens.revoke(app.state.tokens.session_of(revoked), NOW + timedelta(hours=1))
    app.state.clock.advance(timedelta(minutes=15))
    revoked_later = revoked
    for signed, slug, english, chinese in (
        ("nonsense", "token-invalid", "not one of this node's", "不是本节点签发"),
        (expired, "token-expired", "has expired", "已过期"),
    ):
        await check_refusal(client, signed, slug, english, chinese)
    app.state.clock.advance(-timedelta(minutes=15))
    await check_refusal(client, revoked_later, "session-revoked", "was ended", "已终止")


async def check_refusal(
    client: httpx.AsyncClient, signed: str, slug: str, english: str, chinese: str
) -> None:
    for language, words in (("en", english), ("zh-CN", chinese)):
        answer = await client.get("/me", headers={**bearer(signed), "Accept-Language": language})
        assert answer.status_code == 401
        assert answer.json()["type"] == f"urn:guanxi:problem:{slug}"
        assert words in answer.json()["detail"]
        assert answer.headers["Content-Language"] == language[:2]
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_without_the_permission_the_answer_names_it_and_who_holds_it(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    signed = token(app, Role.CLERK)
    for language, words in (("en", "held by"), ("zh", "拥有该权限的角色")):
        answer = await client.get(
            "/retire", headers={**bearer(signed), "Accept-Language": language}
        )
        assert answer.status_code == 403
        body = answer.json()
        assert body["type"] == "urn:guanxi:problem:permission-missing"
        for word in ("customer:retire", "clerk", "supervisor, operator", words):
            assert word in body["detail"]
        assert answer.headers["WWW-Authenticate"].endswith(
            'error="insufficient_scope", scope="customer:retire"'
        )


async def test_a_token_asked_for_with_less_than_its_role_is_told_so(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    signed = token(app, Role.SUPERVISOR, scope="customer:read")
    answer = await client.get("/retire", headers=bearer(signed))
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:guanxi:problem:scope-too-narrow"


async def test_the_documented_scheme_lets_the_interactive_documentation_sign_in(
    client: httpx.AsyncClient,
) -> None:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    scheme = document["components"]["securitySchemes"]["staff"]
    assert scheme["type"] == "oauth2"
    assert scheme["flows"]["password"]["tokenUrl"] == "/oauth/token"
    assert scheme["flows"]["clientCredentials"]["tokenUrl"] == "/oauth/token"
    for path, method in (("/me", "get"), ("/retire", "get"), ("/pay", "post")):
        assert document["paths"][path][method]["security"] == [{"staff": []}]


async def test_a_request_with_a_key_takes_effect_once_for_each_principal(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    app.state.database = database
    mine = {**bearer(token(app, Role.CLERK)), "Idempotency-Key": "k"}
    first = await client.post("/pay", headers=mine)
    again = await client.post("/pay", headers=mine)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() == {"payer": "li.wei", "number": 1}
    assert again.headers["Idempotent-Replayed"] == "true"
    theirs = {**bearer(token(app, Role.CLERK, "wang.fang")), "Idempotency-Key": "k"}
    other = await client.post("/pay", headers=theirs)
    assert other.json() == {"payer": "wang.fang", "number": 2}


async def test_a_key_is_not_even_read_before_the_permission_is_checked(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    app.state.database = database
    answer = await client.post("/pay", headers=bearer(token(app, Role.OPERATOR)))
    assert answer.json()["type"] == "urn:guanxi:problem:permission-missing"
