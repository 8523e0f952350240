"""What a question costs is told beforehand, and one that costs too much is refused with what to reduce."""

from typing import Any

import pytest

from shared import organisation, staff, statistics
from shared.kernel.database import driver_connection
from shared.statistics import figures
from shared.statistics.relative import relative_periods
from tests.conftest import NOON, MakeNode, TestNode
from tests.statistics.registered_cities import CITIES, Headers, ask, enter, get, keep
from tests.statistics.slices_by_hand import GOLD_MAN, STANDARD_MAN, slice_of

CAPABILITIES = (organisation.capability, staff.capability, statistics.capability)


async def estimated(node: TestNode, headers: Headers, **question: Any) -> dict[str, Any]:
    answer = await node.client.get("/statistics/values/estimate", params=question, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_question_is_estimated_without_being_answered(
    hq: TestNode, analyst: Headers
) -> None:
    await keep(
        hq,
        slice_of("440300", {GOLD_MAN: {"customers": 1}, STANDARD_MAN: {"customers": 1}}),
        slice_of("440100", {GOLD_MAN: {"customers": 1}}),
    )

    found = await estimated(hq, analyst, indicator="arpu_fen", by="region,level")
    large = await estimated(
        hq,
        analyst,
        indicator="customers",
        by="period,region,level,sex",
        region_level="city",
        **{"from": "2026-01-01", "to": "2026-06-30"},
    )

    assert {x: found[x] for x in ("rows", "slices", "values", "answered", "reduce")} == {
        "rows": 31 * 4,
        "slices": 2,
        "values": 3 * 2,
        "answered": True,
        "reduce": [],
    }
    assert (large["rows"], large["answered"], large["reduce"]) == (731964, False, ["rows"])
    assert large["limits"]["rows"] == 100_000


async def test_what_would_read_too_much_is_refused(make_node: MakeNode, sign_in: Any) -> None:
    node = await make_node("000000", CAPABILITIES, statistics_value_limit=2)
    analyst = await sign_in(node, "hq_analyst")
    await enter(node, *CITIES)
    await keep(
        node, slice_of("440300", {GOLD_MAN: {"customers": 1}, STANDARD_MAN: {"customers": 2}})
    )

    within = await ask(node, analyst, indicator="customers")
    beyond = await get(node, analyst, indicator="arpu_fen")

    assert within["rows"][0]["values"] == {"customers": 3}
    assert beyond.status_code == 422
    assert beyond.json()["type"] == "urn:guanxi:problem:question-too-costly"
    assert "up to 4 stored values of 1 slices" in beyond.json()["detail"]
    assert (await estimated(node, analyst, indicator="arpu_fen"))["reduce"] == ["values"]


async def test_a_question_that_takes_too_long_is_given_up(
    hq: TestNode, analyst: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []

    async def counts_for_ever(session: Any, *_: Any, **__: Any) -> bytes:
        connection = await driver_connection(session)
        limits.append(
            int((await connection.fetchval("SHOW statement_timeout")).removesuffix("min"))
        )
        await connection.execute("SET LOCAL statement_timeout = 1")
        await connection.execute("SELECT count(*) FROM generate_series(1, 1000000000000)")
        raise AssertionError

    monkeypatch.setattr(figures, "rows", counts_for_ever)
    answer = await get(hq, analyst, indicator="customers")

    assert (answer.status_code, limits) == (422, [1])
    assert answer.json()["type"] == "urn:guanxi:problem:question-too-slow"
    assert "60 seconds" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("words", "periods"),
    [
        ("this_month", ["2026-11"]),
        ("last_month", ["2026-10"]),
        ("last_3_months", ["2026-08", "2026-09", "2026-10"]),
        ("today", ["2026-11-23"]),
        ("yesterday", ["2026-11-22"]),
        ("last_2_days", ["2026-11-21", "2026-11-22"]),
        ("last_0_days", None),
        ("last_401_days", None),
        ("2026-11", None),
    ],
)
def test_periods_move_with_the_calendar(words: str, periods: list[str] | None) -> None:
    found = relative_periods(words, NOON)

    assert (None if found is None else [str(each) for each in found]) == periods


async def test_a_relative_period_is_asked_for_like_any(hq: TestNode, analyst: Headers) -> None:
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 4}}, period="2026-10"))

    answer = await ask(hq, analyst, indicator="customers", period="last_month")

    assert [(row["period"], row["values"]["customers"]) for row in answer["rows"]] == [
        ("2026-10", 4)
    ]
    assert (
        await get(hq, analyst, indicator="customers", period="last_401_days")
    ).status_code == 422
