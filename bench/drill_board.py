"""What HQ's board says at the end of a drill, over REST: who has reported, and who stayed dark."""

from typing import Any

import httpx

from bench.drill_nation import Nation
from shared.capability import Role
from shared.kernel.clock import SystemClock
from shared.kernel.settings import HQ_CODE
from shared.kernel.tier import Tier
from shared.staff.service import add_staff_member
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period

NAME, PASSWORD = "drill", "the-board-of-the-drill"


async def check(nation: Nation, url: str, period: Period, dark: list[str]) -> dict[str, Any]:
    """Ask HQ for the board of a period that is over and due.

    Returns:
        How many slices are expected and received, the cities of which any is missing, and whether the board is right:
        what is missing is all that the dark cities owe, and nothing else.
    """
    async with nation.opened(HQ_CODE) as (database, _), database.transaction() as session:
        await add_staff_member(
            session,
            username=NAME,
            password=PASSWORD,
            role=Role.HQ_ANALYST,
            unit_code=HQ_CODE,
            by=NAME,
            now=SystemClock().now(),
            tier=Tier.HQ,
        )
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        form = {"grant_type": "password", "username": NAME, "password": PASSWORD}
        token = (await client.post("/oauth/token", data=form)).raise_for_status().json()
        answer = await client.get(
            "/statistics/board",
            params={"period": str(period)},
            headers={"Authorization": f"Bearer {token['access_token']}"},
        )
        board = answer.raise_for_status().json()
    missing = {
        (each["node"], each["dataset"]) for each in board["slices"] if each["state"] == "missing"
    }
    owed = {(city, dataset.code) for city in dark for dataset in CATALOGUE.dataset_list}
    received = sum(row["received"] for row in board["summary"])
    expected = sum(row["expected"] for row in board["summary"])
    every = len(nation.cities) * len(CATALOGUE.dataset_list)
    return {
        "period": str(period),
        "expected": expected,
        "received": received,
        "missing": sorted({node for node, _ in missing}),
        "right": missing == owed and expected == every and received == every - len(owed),
    }
