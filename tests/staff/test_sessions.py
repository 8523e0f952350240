"""Staying signed in, signing out, and everything else that ends a session at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import TokenKeeper
from shared.access.models import RevokedSession
from shared.capability import Role
from shared.kernel.database import Listener
from shared.staff import throttle
from shared.staff.models import (
    RefreshToken,
    SignInFailure,
    SignInSession,
    StaffKind,
    StaffMember,
)
from shared.staff.passwords import hash_password
from shared.staff.service import change_staff_member
from tests.conftest import TestNode
from tests.staff.conftest import (
    PASSWORD,
    Account,
    ask,
    bearer,
    me,
    refresh,
    tokens_of,
    with_password,
)

NEW = "seven-kites-over-the-harbour"


async def test_a_refresh_token_gives_a_new_pair_and_the_old_access_token_lives_on(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    first = await tokens_of(city, "li.wei")
    city.clock.advance(timedelta(minutes=14))
    answer = await refresh(city, first["refresh_token"])
    assert answer.status_code == 200
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    for token in (first["access_token"], second["access_token"]):
        assert (await me(city, token)).status_code == 200
    city.clock.advance(timedelta(minutes=1))
    assert (await me(city, first["access_token"])).status_code == 401
    assert (await me(city, second["access_token"])).status_code == 200


async def test_a_refresh_token_used_twice_ends_the_session_for_thief_and_owner(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    first = await tokens_of(city, "li.wei")
    other = await tokens_of(city, "li.wei")
    second = (await refresh(city, first["refresh_token"])).json()
    reused = await refresh(city, first["refresh_token"])
    assert reused.status_code == 400
    assert reused.json()["error"] == "invalid_grant"
    assert reused.json()["type"] == "urn:guanxi:problem:refresh-token-reused"
    for token in (first["access_token"], second["access_token"]):
        refused = await me(city, token)
        assert refused.json()["type"] == "urn:guanxi:problem:session-revoked"
    assert (await refresh(city, second["refresh_token"])).status_code == 400
    assert (await me(city, other["access_token"])).status_code == 200
    assert (await refresh(city, other["refresh_token"])).status_code == 200


async def test_of_two_uses_at_once_at_most_one_succeeds(city: TestNode, account: Account) -> None:
    await account("li.wei")
    token = (await tokens_of(city, "li.wei"))["refresh_token"]
    answers = await asyncio.gather(refresh(city, token), refresh(city, token))
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    given = next(answer for answer in answers if answer.status_code == 200).json()
    assert (await me(city, given["access_token"])).status_code == 401


async def test_a_session_is_over_when_its_hours_are_however_often_it_was_refreshed(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    token = (await tokens_of(city, "li.wei"))["refresh_token"]
    for _ in range(11):
        city.clock.advance(timedelta(hours=1))
        token = (await refresh(city, token)).json()["refresh_token"]
    city.clock.advance(timedelta(hours=1))
    over = await refresh(city, token)
    assert over.json()["type"] == "urn:guanxi:problem:refresh-token-invalid"


@pytest.mark.parametrize("token", ["nonsense", "中文", "x" * 10_000])
async def test_an_unknown_refresh_token_is_refused(city: TestNode, token: str) -> None:
    answer = await refresh(city, token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_only_hashes_of_refresh_tokens_are_kept(city: TestNode, account: Account) -> None:
    await account("li.wei")
    token = (await tokens_of(city, "li.wei"))["refresh_token"]
    async with city.database.transaction() as session:
        kept = list(await session.scalars(select(RefreshToken.token_hash)))
    assert {len(token_hash) for token_hash in kept} == {32}
    assert token.encode() not in kept


# --- signing out ---


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_signing_out_with_either_token_ends_the_session_at_once(
    city: TestNode, account: Account, which: str
) -> None:
    await account("li.wei")
    given, other = await tokens_of(city, "li.wei"), await tokens_of(city, "li.wei")
    assert (await me(city, given["access_token"])).status_code == 200
    form = {"token": given[which], "token_type_hint": which}
    assert (await city.client.post("/oauth/revoke", data=form)).status_code == 200
    refused = await me(city, given["access_token"])
    assert refused.status_code == 401
    assert refused.json()["type"] == "urn:guanxi:problem:session-revoked"
    assert (await refresh(city, given["refresh_token"])).status_code == 400
    assert (await me(city, other["access_token"])).status_code == 200
    assert (await city.client.post("/oauth/revoke", data=form)).status_code == 200


async def test_signing_out_of_nothing_is_no_error_but_naming_nothing_is(city: TestNode) -> None:
    unknown = await city.client.post("/oauth/revoke", data={"token": "unknown"})
    assert (unknown.status_code, unknown.content) == (200, b"")
    missing = await city.client.post("/oauth/revoke", data={})
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


# --- what else ends sessions ---

Ending = Callable[[TestNode, StaffMember, dict[str, str]], Awaitable[httpx.Response]]


async def _patched(
    node: TestNode, member: StaffMember, headers: dict[str, str], **change: object
) -> httpx.Response:
    match = {**headers, "If-Match": '"1"'}
    return await node.client.patch(f"/staff/{member.id}", json=change, headers=match)


async def _disabled(n: TestNode, m: StaffMember, h: dict[str, str]) -> httpx.Response:
    return await _patched(n, m, h, active=False)


async def _role_changed(n: TestNode, m: StaffMember, h: dict[str, str]) -> httpx.Response:
    return await _patched(n, m, h, role="account_manager")


async def _moved(n: TestNode, m: StaffMember, h: dict[str, str]) -> httpx.Response:
    return await _patched(n, m, h, unit_code="440300-02")


async def _password_set(n: TestNode, m: StaffMember, h: dict[str, str]) -> httpx.Response:
    return await n.client.post(f"/staff/{m.id}/password", json={"password": NEW}, headers=h)


@pytest.mark.parametrize("end", [_disabled, _role_changed, _moved, _password_set])
async def test_a_change_of_what_a_token_says_ends_every_session_of_the_account(
    city: TestNode, account: Account, end: Ending
) -> None:
    operator = await bearer(city, "founder")
    member = await account("li.wei", Role.CLERK, "440300-01")
    await account("wang.fang")
    given = [await tokens_of(city, "li.wei"), await tokens_of(city, "li.wei")]
    other = await tokens_of(city, "wang.fang")
    assert (await end(city, member, operator)).is_success
    for tokens in given:
        refused = await me(city, tokens["access_token"])
        assert refused.json()["type"] == "urn:guanxi:problem:session-revoked"
        assert (await refresh(city, tokens["refresh_token"])).status_code == 400
    assert (await me(city, other["access_token"])).status_code == 200


async def test_a_change_of_name_ends_no_session(city: TestNode, account: Account) -> None:
    operator = await bearer(city, "founder")
    member = await account("li.wei")
    given = await tokens_of(city, "li.wei")
    assert (await _patched(city, member, operator, display_name="李伟")).status_code == 200
    assert (await me(city, given["access_token"])).json()["display_name"] == "李伟"


async def test_a_disabled_account_can_be_enabled_and_signs_in_anew(
    city: TestNode, account: Account
) -> None:
    operator = await bearer(city, "founder")
    member = await account("li.wei")
    given = await tokens_of(city, "li.wei")
    await _disabled(city, member, operator)
    assert (await with_password(city, "li.wei")).status_code == 400
    match = {**operator, "If-Match": '"2"'}
    enabled = await city.client.patch(f"/staff/{member.id}", json={"active": True}, headers=match)
    assert enabled.status_code == 200
    assert (await with_password(city, "li.wei")).status_code == 200
    assert (await me(city, given["access_token"])).status_code == 401


async def test_changing_ones_own_password_needs_the_present_one_and_ends_every_session(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    headers, other = await bearer(city, "li.wei"), await tokens_of(city, "li.wei")
    wrong = {"present": "wrong-password-1", "password": NEW}
    refused = await city.client.post("/staff/me/password", json=wrong, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:guanxi:problem:present-password-wrong"
    right = {"present": PASSWORD, "password": NEW}
    changed = await city.client.post("/staff/me/password", json=right, headers=headers)
    assert (changed.status_code, changed.content) == (204, b"")
    assert (await city.client.get("/staff/me", headers=headers)).status_code == 401
    assert (await me(city, other["access_token"])).status_code == 401
    assert (await with_password(city, "li.wei")).status_code == 400
    assert (await with_password(city, "li.wei", NEW)).status_code == 200


async def test_guessing_the_present_password_with_a_stolen_token_is_throttled(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    headers = await bearer(city, "li.wei")
    body = {"present": "wrong-password-1", "password": NEW}
    for _ in range(5):
        answer = await city.client.post("/staff/me/password", json=body, headers=headers)
        assert answer.status_code == 422
    body["present"] = PASSWORD
    delayed = await city.client.post("/staff/me/password", json=body, headers=headers)
    assert delayed.status_code == 429
    assert delayed.headers["Retry-After"] == "30"
    assert delayed.headers["Content-Type"] == "application/problem+json"


async def test_the_command_line_ends_sessions_of_a_running_worker_by_notification(
    city: TestNode, account: Account
) -> None:
    """As ``guanxi user disable`` does it: in another process, which knows no token keeper."""
    member = await account("li.wei")
    given = await tokens_of(city, "li.wei")
    heard: asyncio.Queue[str] = asyncio.Queue()

    def on_wake(channel: str, payload: str) -> None:
        if payload:
            city.node._on_notification(channel, payload)
        heard.put_nowait(payload)

    listener = asyncio.ensure_future(
        Listener(city.database.url, ("guanxi_revoked",), on_wake).run()
    )
    assert await asyncio.wait_for(heard.get(), 10) == ""
    async with city.database.transaction() as session:
        locked = await session.get_one(StaffMember, member.id, with_for_update=True)
        now = city.clock.now()
        await change_staff_member(session, locked, {"active": False}, by="command:root", now=now)
    await asyncio.wait_for(heard.get(), 10)
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    assert (await me(city, given["access_token"])).status_code == 401


async def test_a_worker_that_starts_later_knows_what_was_revoked(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    given = await tokens_of(city, "li.wei")
    await city.client.post("/oauth/revoke", data={"token": given["access_token"]})
    later = TokenKeeper.load(city.node.settings, city.node.grants)
    await later.reload_revoked(city.database, now=city.clock.now())
    city.app.state.tokens = later
    assert (await me(city, given["access_token"])).status_code == 401


async def test_a_sign_in_whose_password_changed_while_it_was_compared_is_refused(
    city: TestNode, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await account("li.wei")
    new_hash = await hash_password(NEW)
    clear = throttle.clear_failures

    async def clear_then_change(session: AsyncSession, username: str) -> None:
        await clear(session, username)
        async with city.database.transaction() as other:
            change = update(StaffMember).where(StaffMember.id == member.id)
            await other.execute(change.values(password_hash=new_hash))

    monkeypatch.setattr(throttle, "clear_failures", clear_then_change)
    assert (await with_password(city, "li.wei")).status_code == 400
    monkeypatch.setattr(throttle, "clear_failures", clear)
    assert (await with_password(city, "li.wei", NEW)).status_code == 200


# --- cleaning up ---


async def test_the_job_deletes_what_is_over_and_nothing_else(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    old = await tokens_of(city, "li.wei")
    await city.client.post("/oauth/revoke", data={"token": old["access_token"]})
    await with_password(city, "nobody")
    city.clock.advance(timedelta(hours=12))
    recent = await tokens_of(city, "li.wei")
    ended = await tokens_of(city, "li.wei")
    await city.client.post("/oauth/revoke", data={"token": ended["access_token"]})
    await city.run_job("forget-sign-ins")
    assert await counts(city) == (4, 4, 1, 1)
    city.clock.advance(timedelta(hours=3))
    await with_password(city, "nobody-else")
    await city.run_job("forget-sign-ins")
    await city.run_job("forget-sign-ins")
    assert await counts(city) == (2, 2, 0, 2)
    assert (await refresh(city, recent["refresh_token"])).status_code == 200
    city.clock.advance(timedelta(hours=9))
    await city.run_job("forget-sign-ins")
    assert (await counts(city))[3] == 1


async def counts(node: TestNode) -> tuple[int, ...]:
    """Return how many sessions, refresh tokens, revocations and failures are kept."""
    tables = (SignInSession, RefreshToken, RevokedSession, SignInFailure)
    async with node.database.transaction() as session:
        found = [await session.scalar(select(func.count()).select_from(table)) for table in tables]
    return tuple(count or 0 for count in found)


async def test_a_service_gets_no_session_that_outlives_its_token(
    city: TestNode, account: Account
) -> None:
    await account("billing", Role.INTEGRATION, kind=StaffKind.SERVICE)
    form = {"client_id": "billing", "client_secret": PASSWORD}
    given = (await ask(city, grant_type="client_credentials", **form)).json()
    assert (await me(city, given["access_token"])).status_code == 200
    city.clock.advance(timedelta(minutes=15))
    assert (await me(city, given["access_token"])).status_code == 401
