"""A city corrects a profile: its figures are counted again, and HQ's follow; what HQ said before is still known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from services.demo.figures import (
    LEVELS,
    ask,
    await_slices,
    say_provenance,
)
from services.demo.rest import content, post, read
from services.demo.stage import Stage
from services.demo.telling import table_of
from shared.commandline import CommandFailed
from shared.kernel.clock import SystemClock
from shared.kernel.settings import HQ_CODE
from shared.organisation.division import province_of

IN_CITY = "440100"
WRONG, RIGHT = "monthly", "two_year"
"""The term of a contract, as it was entered and as it is."""
REASON = "a contract was entered wrongly"
BOUND, SHARE = "long_contract_customers", "long_contract_share"
TABLE = ("customers", BOUND, SHARE)
DATASET = "customer"


@dataclass(frozen=True, slots=True)
class Figures:
    """What HQ says of the nation.

    Attributes:
        rows: of every region, cities first, the nation last.
        provenance: what the nation's are made of.
    """

    rows: Sequence[Mapping[str, Any]]
    provenance: Sequence[Mapping[str, Any]]

    def of(self, indicator: str) -> dict[str, float]:
        """Return an indicator's value by division code."""
        return {row["region"]["code"]: row["values"][indicator] for row in self.rows}

    @property
    def revisions(self) -> dict[str, int]:
        """The revision that each city's part is of."""
        return {
            city["node"]: city["revision"]
            for made_of in self.provenance
            for city in made_of["cities"]
        }


@dataclass(frozen=True, slots=True)
class Corrected:
    """What HQ said before and after a correction.

    Attributes:
        before: before it.
        known_at: the moment between.
        after: once HQ had heard of it.
        still_known: what was known at that moment, as HQ says it now.
    """

    before: Figures
    known_at: datetime
    after: Figures
    still_known: Figures

    def facts(self) -> dict[str, Any]:
        """Return what a program wants to know of it."""
        before, after = self.before.of(BOUND), self.after.of(BOUND)
        return {
            "changes": {
                code: int(after[code] - before[code])
                for code in after
                if after[code] != before[code]
            },
            "revisions": {
                code: after - self.before.revisions[code]
                for code, after in self.after.revisions.items()
            },
            "still_known": self.still_known.rows == self.before.rows,
        }


async def correct(stage: Stage) -> Corrected:
    """Let a clerk correct a contract, let the city count again, and ask HQ before and after.

    Raises:
        CommandFailed: if anything but the figures of that city, its province and the nation changes, or HQ no longer
            knows what it said before.
    """
    period = stage.memory.period
    async with stage.client(HQ_CODE, "analyst") as hq:
        before = await figures_of(hq, period, TABLE)
        known_at = SystemClock().now()
        async with stage.client(IN_CITY, "clerk") as clerk:
            await _correct_contract(clerk)
        async with stage.client(IN_CITY, "supervisor") as supervisor:
            revision = await roll_up(supervisor, period, REASON)
        await await_slices(hq, period, {(IN_CITY, DATASET): revision}, lambda _: None)
        after = await figures_of(hq, period, TABLE)
        still_known = await figures_of(hq, period, TABLE, as_known_at=known_at.isoformat())
    corrected = Corrected(before, known_at, after, still_known)
    facts = corrected.facts()
    one_more = {IN_CITY: 1, province_of(IN_CITY).code: 1, HQ_CODE: 1}
    again = {code: int(code == IN_CITY) for code in before.revisions}
    if facts != {"changes": one_more, "revisions": again, "still_known": True}:
        raise CommandFailed(f"The correction in {IN_CITY} came to HQ otherwise than made: {facts}")
    return corrected


async def _correct_contract(clerk: httpx.AsyncClient) -> None:
    """Change the contract of the first customer there who might have the wrong one."""
    found = await read(
        clerk, "/customers", contract_term=WRONG, library="in_network", limit=1, fields="id"
    )
    path = f"/customers/{found['items'][0]['id']}"
    version = (await clerk.get(path)).headers["ETag"]
    content(await clerk.patch(path, json={"contract_term": RIGHT}, headers={"If-Match": version}))


async def roll_up(supervisor: httpx.AsyncClient, period: str, reason: str | None = None) -> int:
    """Let a city count a period, and return the revision of its customers' slice."""
    counted = await post(supervisor, "/statistics/rollups", {"period": period, "reason": reason})
    (revision,) = [each["revision"] for each in counted["items"] if each["dataset"] == DATASET]
    return int(revision)


async def figures_of(
    hq: httpx.AsyncClient, period: str, indicators: Sequence[str], **question: str
) -> Figures:
    """Ask HQ for indicators of all cities, provinces and the nation."""
    answers = [
        await ask(hq, period, indicators, by="region", region_level=level, **question)
        for level in LEVELS
    ]
    return Figures([row for answer in answers for row in answer["rows"]], answers[-1]["provenance"])


def show(stage: Stage, corrected: Corrected) -> None:
    """Tell what HQ said before and says after, and what each is made of."""
    table = table_of("region", "in network", "bound, before", "after", "share, before", "after")
    for was, is_ in zip(corrected.before.rows, corrected.after.rows, strict=True):
        old, new = was["values"], is_["values"]
        table.add_row(
            f"{is_['region']['code']} {is_['region']['name']}",
            f"{new['customers']:,.0f}",
            f"{old[BOUND]:,.0f}",
            f"{new[BOUND]:,.0f}",
            f"{old[SHARE]:.3f}%",
            f"{new[SHARE]:.3f}%",
            style="" if old == new else "yellow",
        )
    stage.console.print(table)
    known_at = corrected.known_at.isoformat()
    say_provenance(stage, corrected.still_known.provenance, known_at=known_at)
    say_provenance(stage, corrected.after.provenance)
    stage.conclude(
        f"Revision {corrected.after.revisions[IN_CITY]} of {IN_CITY} is in the figures of its province and the nation. "
        "Asked as known before it, HQ gives the old ones."
    )
