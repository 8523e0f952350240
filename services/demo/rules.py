"""Rules in the demo: HQ publishes a policy of levels, cities judge their customers by it, and a draft is tried."""

import asyncio
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson

from services.demo.nodes import FILES, run_command
from services.demo.people import Person
from shared.commandline import CommandFailed
from shared.kernel.settings import HQ_CODE
from shared.node.plan import PlannedNode

POLICY, BILLS = FILES / "wa_churn_level.json", FILES / "wa_churn_bills.toml"
LEVELS = ("diamond", "gold", "silver", "standard")
ARRIVAL_SECONDS = 60.0
"""How long the policy may be on its way to the cities."""
TRIED = {"gold_fen": 6000}
"""The threshold that is tried before anybody publishes it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules found.

    Attributes:
        policy: the reference of the policy that the cities went by.
        levels: how many customers have each level, by city.
        explained: why one customer has the level, in both languages, and what the next one takes.
        tried: what the draft would change in one city.
    """

    policy: str
    levels: dict[str, dict[str, int]]
    explained: dict[str, Any]
    tried: list[dict[str, Any]]


async def publish(hq: httpx.AsyncClient, node: PlannedNode) -> str:
    """Let HQ's analyst draft the policy and the machine's operator publish it; return what is in force then.

    Nothing is published if it is in force already.

    Raises:
        CommandFailed: if it is refused.
    """
    document = orjson.loads(POLICY.read_bytes())
    present = _content(await hq.get("/policies/level"))
    if present["document"] == document:
        reference: str = present["reference"]
        return reference
    body = {"document": document, "effective_from": present["on"], "note": "for the public table"}
    once = {"Idempotency-Key": str(uuid4())}
    draft = _content(await hq.post("/policies/level/drafts", json=body, headers=once))
    await run_command(node, "policy", "publish", draft["id"])
    return str(_content(await hq.get("/policies/level"))["reference"])


async def arrived(city: httpx.AsyncClient, reference: str) -> None:
    """Wait until a city goes by the policy that HQ goes by.

    Raises:
        CommandFailed: if it does not come in time.
    """
    pause = 0.1
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while _content(await city.get("/policies/level"))["reference"] != reference:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 1.0)
    except TimeoutError:
        raise CommandFailed(
            f"The policy of levels has not come to {city.base_url} after {ARRIVAL_SECONDS:.0f} s. "
            f"`guanxi status --node {HQ_CODE}` shows where it waits."
        ) from None


def write_bills(people: Sequence[Person], file: Path) -> None:
    """Write the bills of those who were customers in the month before the figures'."""
    billed = [each for each in people if not each.has_left and int(each.cells["tenure"]) > 0]
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["msisdn", "monthly_charges"])
        writer.writerows([each.msisdn, each.cells["monthly_charges"]] for each in billed)


def month_before(day: date) -> date:
    """Return the first day of the month before the one of ``day``."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


async def judge(node: PlannedNode, file: Path, billed: date) -> None:
    """Import the last month's bills into a city, and evaluate the levels of its customers."""
    arguments = ("--mapping", str(BILLS), f"--set=billed={billed}")
    await run_command(node, "customer", "import", str(file), *arguments)
    await run_command(node, "evaluate", "level")


async def counted(city: httpx.AsyncClient) -> dict[str, int]:
    """Return how many customers of a city have each level by the rule."""
    found = {}
    for level in LEVELS:
        asked: dict[str, str | int] = {"level": level, "limit": 1, "count": "true"}
        found[level] = _content(await city.get("/level-results", params=asked))["count"]
    return found


async def explained(city: httpx.AsyncClient, level: str) -> dict[str, Any]:
    """Return why one customer has a level: ``zh``, ``en``, and what the next level takes."""
    results = await city.get("/level-results", params={"level": level, "limit": 1})
    one = _content(results)["items"][0]
    standing = _content(await city.get(f"/customers/{one['customer_id']}/level"))
    why = standing["result"]["explanation"]
    return {"en": why["en"], "zh": why["zh"], "next": standing["next"]}


async def tried(node: PlannedNode, directory: Path) -> list[dict[str, Any]]:
    """Try the policy with another threshold on a city, which changes nothing."""
    document = orjson.loads(POLICY.read_bytes())
    document["thresholds"] |= TRIED
    file = directory / "draft.json"
    file.write_bytes(orjson.dumps(document))
    lines: list[dict[str, Any]] = await run_command(
        node, "evaluate", "level", "--dry-run", str(file), "--publisher", HQ_CODE
    )
    return lines


def _content(answer: httpx.Response) -> Mapping[str, Any]:
    if answer.is_error:
        raise CommandFailed(f"{answer.request.method} {answer.request.url}: {answer.text}")
    content: Mapping[str, Any] = answer.json()
    return content
