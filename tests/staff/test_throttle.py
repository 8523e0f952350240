"""Guessing is slowed down, for accounts that there are and for names that there are not alike."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from shared.capability import Role
from shared.staff import passwords
from shared.staff.models import SignInFailure, StaffKind
from shared.staff.throttle import delay_after
from tests.conftest import MakeNode, TestNode
from tests.staff.conftest import (
    CAPABILITIES,
    PASSWORD,
    Account,
    ask,
    bearer,
    me,
    tokens_of,
    with_password,
)

WRONG = "wrong-password-1"


def test_the_delay_doubles_from_half_a_minute_to_an_hour() -> None:
    assert [delay_after(failures, 5) for failures in range(5)] == [None] * 5
    seconds = [delay.total_seconds() for n in range(5, 15) if (delay := delay_after(n, 5))]
    assert seconds == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert delay_after(10**9, 5) == timedelta(hours=1)


async def guess(node: TestNode, username: str, times: int) -> list[int]:
    return [(await with_password(node, username, WRONG)).status_code for _ in range(times)]


@pytest.mark.parametrize("username", ["li.wei", "nobody", "no such name"])
async def test_after_five_wrong_passwords_the_next_is_delayed_longer_each_time(
    city: TestNode, account: Account, username: str
) -> None:
    await account("li.wei")
    assert await guess(city, username, 6) == [400] * 5 + [429]
    for seconds in (30, 60, 120):
        city.clock.advance(timedelta(seconds=seconds - 1))
        delayed = await with_password(city, username, WRONG)
        assert delayed.status_code == 429
        assert delayed.headers["Retry-After"] == "1"
        assert delayed.json()["error"] == "slow_down"
        assert "1 seconds" in delayed.json()["error_description"]
        city.clock.advance(timedelta(seconds=1))
        assert await guess(city, username, 2) == [400, 429]


async def test_while_delayed_the_right_password_is_refused_too_and_afterwards_clears_the_count(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    await guess(city, "li.wei", 5)
    assert (await with_password(city, "li.wei")).status_code == 429
    assert (await with_password(city, "LI.WEI")).status_code == 429
    city.clock.advance(timedelta(seconds=30))
    assert (await with_password(city, "li.wei")).status_code == 200
    assert await guess(city, "li.wei", 6) == [400] * 5 + [429]


async def test_right_passwords_in_between_start_the_count_anew(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    for _ in range(3):
        assert await guess(city, "li.wei", 4) == [400] * 4
        assert (await with_password(city, "li.wei")).status_code == 200


async def test_others_are_not_delayed_and_who_is_signed_in_stays_so(
    city: TestNode, account: Account
) -> None:
    await account("li.wei")
    await account("wang.fang")
    given = await tokens_of(city, "li.wei")
    await guess(city, "li.wei", 6)
    assert (await with_password(city, "wang.fang")).status_code == 200
    assert (await me(city, given["access_token"])).status_code == 200


async def test_wrong_passwords_of_yesterday_are_forgotten(city: TestNode, account: Account) -> None:
    await account("li.wei")
    await guess(city, "li.wei", 4)
    city.clock.advance(timedelta(hours=24))
    assert await guess(city, "li.wei", 6) == [400] * 5 + [429]


async def test_a_new_password_from_an_operator_ends_the_delay(
    city: TestNode, account: Account
) -> None:
    operator = await bearer(city, "founder")
    member = await account("li.wei")
    await guess(city, "li.wei", 6)
    new = {"password": "seven-kites-over-the-harbour"}
    answer = await city.client.post(f"/staff/{member.id}/password", json=new, headers=operator)
    assert answer.status_code == 204
    assert (await with_password(city, "li.wei", new["password"])).status_code == 200


async def test_the_number_of_wrong_passwords_is_a_setting(make_node: MakeNode) -> None:
    node = await make_node("440300", CAPABILITIES, sign_in_failures=2)
    assert await guess(node, "nobody", 3) == [400, 400, 429]


async def test_a_services_secret_is_guarded_the_same(city: TestNode, account: Account) -> None:
    await account("billing", Role.INTEGRATION, kind=StaffKind.SERVICE)
    form = {"grant_type": "client_credentials", "client_id": "billing"}
    answers = [await ask(city, **form, client_secret=WRONG) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert (await ask(city, **form, client_secret=PASSWORD)).status_code == 429


async def test_of_many_guesses_at_once_few_count_and_not_even_the_right_one_tells(
    city: TestNode, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty guesses have all passed the first look when they are compared; the right one is answered last."""
    await account("li.wei")
    compare = passwords.is_right
    arrived: list[str] = []
    all_arrived, wrong_answered = asyncio.Event(), asyncio.Event()

    async def compare_together(password: str, kept: str | None) -> bool:
        arrived.append(password)
        if len(arrived) == 40:
            all_arrived.set()
        await (wrong_answered if password == PASSWORD else all_arrived).wait()
        return await compare(password, kept)

    monkeypatch.setattr(passwords, "is_right", compare_together)
    right = asyncio.ensure_future(with_password(city, "li.wei"))
    wrong = (with_password(city, "li.wei", f"{WRONG}{number}") for number in range(39))
    codes = [answer.status_code for answer in await asyncio.gather(*wrong)]
    assert set(codes) == {400, 429}
    assert await failures(city, "li.wei") == codes.count(400) < 20
    wrong_answered.set()
    assert (await right).status_code == 429


async def failures(node: TestNode, username: str) -> int:
    async with node.database.transaction() as session:
        query = select(SignInFailure.failures).where(SignInFailure.username == username)
        return await session.scalar(query) or 0


async def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(
    city: TestNode, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    await account("li.wei")
    compared: list[bool] = []
    compare = passwords._matches

    def count(password: str, kept: str | None) -> bool:
        compared.append(kept is None)
        return compare(password, kept)

    monkeypatch.setattr(passwords, "_matches", count)
    for username in ("li.wei", "nobody", "no such name"):
        await with_password(city, username, WRONG)
    assert compared == [False, True, True]
