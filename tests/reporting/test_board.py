"""The board: what is expected of whom, what came, what is late, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from shared.capability import NodeContext, Role
from shared.reporting import commands
from shared.reporting.schemas import SummaryOut
from shared.reporting.service import RegionNotSeen
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import PeriodKind
from tests.conftest import Nation
from tests.reporting.saying import NOVEMBER, Headers, ask, say, say_all

SignIn = Callable[..., Awaitable[Headers]]
CITY, OTHER, HQ = "440300", "440100", "000000"


async def states(nation: Nation, sign_in: SignIn, period: str, code: str = HQ) -> dict[str, str]:
    """Return the state of each city's customers on the board of a node."""
    who = await sign_in(nation[code], Role.HQ_ANALYST if code == HQ else Role.PROVINCE_COORDINATOR)
    board = await ask(nation[code], "board", who, period=period, dataset="customer")
    return {each["node"]: each["state"] for each in board["slices"]}


async def events(nation: Nation, sign_in: SignIn) -> list[tuple[str, str, str]]:
    """Return what HQ tells programs of slices."""
    program = await sign_in(nation[HQ], Role.INTEGRATION)
    answer = await nation[HQ].client.get("/events", params={"limit": 500}, headers=program)
    assert answer.status_code == 200, answer.text
    return [
        (each["type"].split(".")[2], each["data"]["node"], each["data"]["dataset"])
        for each in answer.json()["items"]
        if each["type"].startswith("guanxi.slice.") and each["data"]["period"] == NOVEMBER
    ]


async def test_a_city_that_was_not_there_yet_is_not_expected(four: Nation, sign_in: SignIn) -> None:
    assert await states(four, sign_in, "2026-10") == {}
    assert await states(four, sign_in, "2026-11-22") == {}
    assert await states(four, sign_in, "2026-11-23") == {OTHER: "missing", CITY: "missing"}
    analyst = await sign_in(four[HQ], Role.HQ_ANALYST)
    for period, missing in (("2026-10", []), (NOVEMBER, [OTHER, CITY])):
        answer = await ask(four[HQ], "values", analyst, indicator="customers", period=period)
        assert answer["provenance"][0]["missing"] == missing


async def test_a_slice_is_awaited_then_on_time_or_missing_and_then_late(
    four: Nation, sign_in: SignIn
) -> None:
    four.clock.advance(timedelta(hours=-8))  # 4 o'clock in the morning of the first
    assert await states(four, sign_in, NOVEMBER) == {OTHER: "awaited", CITY: "awaited"}
    await say(four[CITY], 5)
    await four.settle()
    four.clock.advance(timedelta(days=2))
    assert await states(four, sign_in, NOVEMBER) == {OTHER: "missing", CITY: "on_time"}
    await say(four[OTHER], 3)
    await four.settle()
    assert await states(four, sign_in, NOVEMBER) == {OTHER: "late", CITY: "on_time"}
    assert await states(four, sign_in, NOVEMBER, "440000") == {OTHER: "late", CITY: "on_time"}


async def test_what_was_counted_before_the_end_is_not_the_last_word(
    four: Nation, sign_in: SignIn
) -> None:
    four.clock.advance(timedelta(days=-4))
    await say(four[CITY], 5)
    await four.settle()
    four.clock.advance(timedelta(days=6))
    assert (await states(four, sign_in, NOVEMBER))[CITY] == "missing"
    await say(four[CITY], 6, 2)
    await four.settle()
    assert (await states(four, sign_in, NOVEMBER))[CITY] == "late"


async def test_an_alarm_is_raised_once_and_once_more_when_the_slice_came(
    four: Nation, sign_in: SignIn
) -> None:
    await say_all(four[CITY])
    await four.settle()
    four.clock.advance(timedelta(days=2))
    for _ in range(2):
        await four[HQ].run_job("reporting-watch")
    told = await events(four, sign_in)
    assert {each[:2] for each in told} == {("overdue", OTHER)}
    assert len(told) == len(set(told)) > 10
    operator = await sign_in(four[HQ], Role.OPERATOR)
    metrics = (await four[HQ].client.get("/metrics", headers=operator)).text
    by_month = next(
        each.code for each in CATALOGUE.dataset_list if PeriodKind.DAY not in each.periods
    )
    assert f'guanxi_reporting_missing_slices{{dataset="{by_month}"}} 1.0' in metrics

    await say(four[OTHER], 3)
    await four.settle()
    for _ in range(2):
        await four[HQ].run_job("reporting-watch")
    assert [each for each in await events(four, sign_in) if each[0] == "received"] == [
        ("received", OTHER, "customer")
    ]


async def test_the_board_is_told_from_its_tag_and_keeps_to_the_region(
    four: Nation, sign_in: SignIn
) -> None:
    hq = four[HQ]
    analyst = await sign_in(hq, Role.HQ_ANALYST)
    path = "/statistics/board"
    first = await hq.client.get(path, params={"period": NOVEMBER}, headers=analyst)
    held = {**analyst, "If-None-Match": first.headers["etag"]}
    assert (await hq.client.get(path, params={"period": NOVEMBER}, headers=held)).status_code == 304
    await say(four[CITY], 5)
    await four.settle()
    again = await hq.client.get(path, params={"period": NOVEMBER}, headers=held)
    assert again.status_code == 200

    province = four["440000"]
    coordinator = await sign_in(province, Role.PROVINCE_COORDINATOR)
    for odd, status, pointer in (
        ({"dataset": "custmer"}, 400, "query:dataset"),
        ({"dataset": "customer,custmer"}, 400, "query:dataset"),
        ({"datasets": "customer"}, 400, "query:datasets"),
        ({"region": "449999"}, 422, "query:region"),
    ):
        refused = await province.client.get(path, params=odd, headers=coordinator)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (status, pointer)
    some = await ask(province, "board", coordinator, dataset="usage,customer")
    assert [set(row) for row in some["summary"]] == 2 * [set(SummaryOut.model_fields)]
    one = await ask(province, "board", coordinator, region=CITY)
    assert {each["node"] for each in one["slices"]} == {CITY}
    beyond = await province.client.get(path, params={"region": HQ}, headers=coordinator)
    assert beyond.status_code == 403
    wrong = await hq.client.get(path, params={"state": "fine"}, headers=analyst)
    assert wrong.status_code == 422


async def test_the_command_tells_by_its_exit_code(
    four: Nation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command looks at the node of the test, by its clock."""
    four.clock.advance(timedelta(days=2))
    loop = asyncio.get_running_loop()

    def run(code: str, act: Callable[[NodeContext], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run_coroutine_threadsafe(act(four[code].context), loop).result()

    monkeypatch.setattr(commands, "run", run)

    async def board(*words: str) -> Result:
        arguments = ["--node", HQ, "--period", NOVEMBER, *words]
        return await asyncio.to_thread(CliRunner().invoke, commands.app, arguments)

    told = await board("--json")
    assert told.exit_code == 0
    assert {row["missing"] for row in orjson.loads(told.stdout)["summary"]} == {2}
    assert (await board("--check", "--json")).exit_code == 1
    table = (await board("--check")).stdout
    assert "customer" in table
    assert f"{CITY} customer" in table
    for code in (CITY, OTHER):
        await say_all(four[code])
    await four.settle()
    assert (await board("--check")).exit_code == 0
    elsewhere = ["--node", CITY, "--period", NOVEMBER, "--region", OTHER]
    refused = await asyncio.to_thread(CliRunner().invoke, commands.app, elsewhere)
    assert isinstance(refused.exception, RegionNotSeen)
