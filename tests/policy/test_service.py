"""What rules ask: the policy in force, and what a draft would make of it."""

from datetime import date
from typing import Any

import pytest

from shared.policy.declaration import PolicyInForce
from shared.policy.problems import PolicyInvalid, PolicyOutsideBounds
from shared.policy.service import draft_in_force, in_force
from tests.policy.conftest import Office
from tests.policy.thresholds import THRESHOLDS, Thresholds, gold, national

DAY = date(2026, 12, 1)


async def asked(office: Office, node: str = "440300", on: date = DAY) -> PolicyInForce[Thresholds]:
    async with office.node.database.transaction() as session:
        return await in_force(session, THRESHOLDS, on=on, node=node)


async def tried(office: Office, draft: Any, **more: str) -> PolicyInForce[Thresholds]:
    async with office.node.database.transaction() as session:
        return await draft_in_force(session, THRESHOLDS, draft=draft, on=DAY, node="440300", **more)


async def test_rules_hear_of_every_change_at_once(city: Office) -> None:
    assert await asked(city) == PolicyInForce(THRESHOLDS.default, "thresholds default", date.min)
    await city.publish(gold(60_000))
    for _ in range(2):
        found = await asked(city)
        assert (found.reference, found.effective_from) == ("thresholds default + 440300:1", DAY)
        assert found.document.gold.from_fen == 60_000
    assert (await asked(city, on=date(2026, 11, 30))).reference == "thresholds default"
    assert (await asked(city, node="440000")).reference == "thresholds default"
    await city.publish(gold(65_000))
    assert (await asked(city)).document.gold.from_fen == 65_000
    assert (await city.withdraw(2)).status_code == 200
    assert (await asked(city)).reference == "thresholds default + 440300:1"


async def test_a_draft_is_tried_in_the_place_of_what_its_publisher_published(
    city: Office,
) -> None:
    await city.publish(gold(60_000))
    own = await tried(city, {"silver": {"from_fen": 25_000}})
    assert own.reference == "thresholds default + 440300:draft"
    assert (own.document.gold.from_fen, own.document.silver.from_fen) == (70_000, 25_000)
    province = await tried(city, {"silver": {"from_fen": 25_000}}, publisher="440000")
    assert province.reference == "thresholds default + 440000:draft + 440300:1"
    hq = await tried(city, national(window_months=12), publisher="000000")
    assert hq.reference == "thresholds draft + 440300:1"
    assert (hq.document.window_months, hq.document.gold.from_fen) == (12, 60_000)
    assert (await asked(city)).reference == "thresholds default + 440300:1"


async def test_a_draft_that_could_not_be_published_cannot_be_tried(city: Office) -> None:
    with pytest.raises(PolicyOutsideBounds) as outside:
        await tried(city, gold(200_000))
    assert [fault.pointer for fault in outside.value.faults] == ["/gold/from_fen"]
    with pytest.raises(PolicyInvalid) as malformed:
        await tried(city, {"gold": 1}, publisher="000000")
    assert {fault.pointer for fault in malformed.value.faults} >= {"/gold", "/silver"}
