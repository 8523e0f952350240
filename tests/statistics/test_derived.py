"""HQ defines indicators that make sense, and every tier derives them as one would by hand."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from shared import audit, organisation, policy, staff, statistics
from shared.capability import Role
from shared.kernel.database import Database
from shared.policy.reading import faults_of, read
from shared.statistics import repository
from shared.statistics.definition import INDICATOR, extended
from shared.statistics.period import Period
from shared.statistics.privacy import Terms
from shared.statistics.question import Words, read_question
from shared.statistics.service import answer
from tests.conftest import NOON, Nation
from tests.statistics.registered_cities import Headers, ask, register, table
from tests.statistics.slices_by_hand import GOLD_MAN, GOLD_WOMAN, STANDARD_MAN, slice_of

CAPABILITIES = (
    audit.capability,
    organisation.capability,
    staff.capability,
    statistics.capability,
    policy.capability,
)


def defined(code: str, kind: str, of: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "name_zh": "派生", "name_en": "derived", "kind": kind, "of": of, **more}


DEFINITIONS = [
    defined("net_growth", "difference", "new_customers", by="lost_customers"),
    defined("group_share", "ratio", "group_customers", by="customers", scale=100, unit="percent"),
    defined("customers_share", "share", "customers"),
    defined("customers_mom", "growth", "customers", over="period"),
    defined("arpu_yoy", "growth", "arpu_fen", over="year"),
    defined("new_rank", "rank", "new_customers"),
    defined("new_quarter", "moving_sum", "new_customers", periods=3),
]
NONSENSE: list[tuple[str, str, dict[str, Any]]] = [
    ("/of", "never averaged", defined("x", "share", "arpu_fen")),
    ("/of", "never averaged", defined("x", "moving_sum", "churn_rate", periods=3)),
    ("/of", "extremes are not added", defined("x", "share", "highest_bill_fen")),
    ("/of", "state at the period's end", defined("x", "moving_sum", "customers", periods=3)),
    ("/of", "no indicator that ships", defined("x", "rank", "custmers")),
    ("/by", "of the dataset revenue", defined("x", "difference", "new_customers", by="bills")),
    (
        "/by",
        "adds up over time in another way",
        defined("x", "difference", "customers", by="new_customers"),
    ),
    (
        "/by",
        "another unit",
        defined("x", "difference", "customers", by="subscriptions"),
    ),
    ("/by", "needs by", defined("x", "ratio", "customers", unit="percent")),
    ("/unit", "has no unit", defined("x", "rank", "customers", unit="percent")),
    ("/over", "needs over", defined("x", "growth", "customers")),
    ("/code", "another column level", defined("level", "rank", "customers")),
    ("/code", "another column withheld", defined("withheld", "rank", "customers")),
    ("/scale", "has no scale", defined("x", "rank", "customers", scale=2)),
    (
        "/by",
        "on both sides",
        defined("x", "ratio", "customers", by="customers", unit="percent"),
    ),
    ("/over", "必须是 'period'或'year'", defined("x", "growth", "customers", over="decade")),
    ("/code", "another column region_code", defined("region_code", "rank", "customers")),
    ("/code", "another column customers__share", defined("customers__share", "rank", "customers")),
    ("/code", "is taken", defined("customers", "rank", "customers")),
    (
        "/valid_until",
        "after valid_from",
        defined("x", "rank", "bills", valid_from="2026-02-01", valid_until="2026-01-01"),
    ),
]


@pytest.mark.parametrize(("pointer", "why", "definition"), NONSENSE)
def test_nonsense_cannot_be_defined(pointer: str, why: str, definition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        read(INDICATOR, {"indicators": [DEFINITIONS[0], definition]})

    (fault,) = faults_of(refused.value)
    assert fault.pointer == f"/indicators/1{pointer}"
    assert fault.detail_zh
    assert why in fault.detail or why == fault.detail_zh


def test_a_code_is_defined_once() -> None:
    with pytest.raises(ValidationError) as refused:
        read(INDICATOR, {"indicators": [DEFINITIONS[0], DEFINITIONS[0]]})

    assert [each.pointer for each in faults_of(refused.value)] == ["/indicators/1/code"]


async def test_derived_figures_are_what_one_derives_by_hand(database: Database) -> None:
    chance = random.Random(7)  # noqa: S311 - a draw that can be repeated
    catalogue = extended(read(INDICATOR, {"indicators": DEFINITIONS}), "indicator 1")
    measures = ("customers", "group_customers", "new_customers", "lost_customers")
    months = [f"2025-{month:02}" for month in range(7, 13)]
    months += [f"2026-{month:02}" for month in range(1, 12)]
    cells = (GOLD_MAN, GOLD_WOMAN, STANDARD_MAN)
    facts = {
        (city, month): {
            key: {code: chance.randrange(1, 50) for code in (*measures, "monthly_charge_fen")}
            for key in chance.sample(cells, chance.choice([2, 3]))
        }
        for city in ("440100", "440300", "110100")
        for month in months
        if (city, month) not in {("440100", "2026-09"), ("110100", "2025-10")}
    }
    words = Words(
        [each["code"] for each in DEFINITIONS],
        first="2026-07",
        last="2026-11",
        by=["period", "region", "level"],
        region_level="province",
    )

    def total(month: str, province: str, level: str, code: str) -> int | None:
        told = [
            value for (city, at), value in facts.items() if at == month and city[:2] == province
        ]
        if not told:
            return None
        return sum(values[code] for each in told for key, values in each.items() if key[0] == level)

    def cities(month: str, province: str) -> set[str]:
        return {city for city, at in facts if at == month and city[:2] == province}

    def grown(now: float | None, then: float | None) -> float | None:
        return None if now is None or not then else 100 * (now - then) / then

    async with database.transaction() as session:
        await register(session, NOON, "440100", "440300", "110100")
        for (city, month), each in facts.items():
            made = slice_of(city, each, period=month)
            await repository.store(session, made, received_at=NOON)
        question = read_question(words, catalogue, scope="000000", now=NOON)
        found = await answer(session, question, Terms(catalogue, None), here="000000")
    document = orjson.loads(found.body or b"")

    consulted = {each["period"] for each in document["provenance"]}
    assert consulted == {*months} - {"2025-12", "2026-01", "2026-02", "2026-03", "2026-04"}
    rows = {
        (row["period"], row["region"]["code"][:2], row["level"]): row["values"]
        for row in document["rows"]
    }
    assert {month for month, _, _ in rows} == {str(each) for each in question.periods}
    empty = 0
    for (month, province, level), values in rows.items():
        period = Period.parse(month)
        before, year = str(period.previous), str(period.year_before)
        quarter = [month, before, str(period.previous.previous)]

        def at(
            code: str, when: str = month, where: str = province, of: str = level
        ) -> float | None:
            return total(when, where, of, code)

        def arpu(when: str, at: Any = at) -> float | None:
            customers = at("customers", when)
            return at("monthly_charge_fen", when) / customers if customers else None

        def same(*others: str, when: str = month, where: str = province) -> bool:
            return all(cities(other, where) == cities(when, where) for other in others)

        new, lost, customers = at("new_customers"), at("lost_customers"), at("customers")
        assert new is not None
        assert lost is not None
        everywhere = [key for key in rows if key[0] == month]
        expected = {
            "net_growth": new - lost,
            "group_share": 100 * (at("group_customers") or 0) / customers if customers else None,
            "customers_share": 100
            * (customers or 0)
            / sum(total(month, p, x, "customers") or 0 for _, p, x in everywhere),
            "customers_mom": grown(customers, at("customers", before)) if same(before) else None,
            "arpu_yoy": grown(arpu(month), arpu(year)) if same(year) else None,
            "new_rank": 1
            + sum((total(month, p, x, "new_customers") or 0) > new for _, p, x in everywhere),
            "new_quarter": sum(at("new_customers", each) or 0 for each in quarter)
            if same(*quarter)
            else None,
        }
        assert values == pytest.approx(expected, abs=1e-5), (month, province, level)
        empty += sum(each is None for each in expected.values())
    assert empty > 5


SignIn = Callable[..., Awaitable[Headers]]


async def test_what_hq_publishes_can_be_asked_for_at_every_tier(
    joined: Callable[..., Awaitable[Nation]], sign_in: SignIn
) -> None:
    nation = await joined(("000000", "440000", "440300"), CAPABILITIES)
    hq = nation["000000"]
    one, two = [await sign_in(hq, Role.HQ_ANALYST) for _ in range(2)]

    async def publish(*definitions: dict[str, Any], key: str) -> int:
        body = {"document": {"indicators": definitions}, "effective_from": "2026-11-23"}
        path = "/policies/indicator"
        draft = await hq.client.post(
            f"{path}/drafts", json=body, headers=one | {"Idempotency-Key": f"{key}-draft"}
        )
        if draft.status_code != 201:
            return draft.status_code
        published = await hq.client.post(
            f"{path}/versions",
            json={"draft": draft.json()["id"]},
            headers=two | {"Idempotency-Key": key, "If-Match": draft.headers["etag"]},
        )
        await nation.settle()
        return published.status_code

    assert await publish(defined("x", "share", "arpu_fen"), key="nonsense") == 422
    assert await publish(*DEFINITIONS, key="first") == 201
    roles = {
        "000000": Role.HQ_ANALYST,
        "440000": Role.PROVINCE_COORDINATOR,
        "440300": Role.SUPERVISOR,
    }
    cells = {
        GOLD_MAN: {"customers": 3, "new_customers": 2, "lost_customers": 1},
        STANDARD_MAN: {"customers": 1, "new_customers": 4},
    }
    for code, role in roles.items():
        node, headers = nation[code], await sign_in(nation[code], role)
        async with node.database.transaction() as session:
            await repository.store(session, slice_of("440300", cells), received_at=NOON)
        found = await ask(node, headers, indicator="net_growth,customers_share", by="level")
        assert table(found, "net_growth", "level") == {"gold": 1, "standard": 4}
        assert table(found, "customers_share", "level") == {"gold": 75, "standard": 25}
        path = "/statistics/indicators/net_growth"
        described = (await node.client.get(path, headers=headers)).json()
        assert (described["aggregation"], described["defined_by"]) == ("difference", "indicator 1")
        assert described["measures"] == ["new_customers", "lost_customers"]
        ranged = await node.client.get(
            "/statistics/values",
            params={"indicator": "new_quarter", "from": "2026-10", "to": "2026-11", "by": "level"},
            headers=headers,
        )
        assert (ranged.status_code, "new_quarter: period" in ranged.text) == (400, True)

    assert await publish(DEFINITIONS[0], key="second") == 201
    for code, role in roles.items():
        headers = await sign_in(nation[code], role)
        listed = (await nation[code].client.get("/statistics/indicators", headers=headers)).json()
        derived = [x["code"] for x in listed["items"] if x["defined_by"]]
        assert derived == ["net_growth"]
