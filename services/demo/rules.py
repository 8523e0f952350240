"""Rules in the demo: HQ publishes a policy of levels, cities judge their customers by it, and a draft is tried."""

import asyncio
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from services.demo.nodes import FILES, run_command
from services.demo.people import Person
from services.demo.rest import post, read
from services.demo.stage import Stage, some_at_a_time
from services.demo.telling import table_of
from shared.commandline import CommandFailed
from shared.kernel.settings import HQ_CODE
from shared.node.plan import PlannedNode

POLICY, BILLS = FILES / "wa_churn_level.json", FILES / "wa_churn_bills.toml"
LEVELS = ("diamond", "gold", "silver", "standard")
ARRIVAL_SECONDS = 60.0
"""How long the policy may be on its way to the cities."""
TRIED = {"gold_fen": 6000}
"""The threshold that is tried before anybody publishes it."""
TRIED_IN = "440300"
"""In which city."""


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
    present = await read(hq, "/policies/level")
    if present["document"] == document:
        reference: str = present["reference"]
        return reference
    body = {"document": document, "effective_from": present["on"], "note": "for the public table"}
    draft = await post(hq, "/policies/level/drafts", body)
    await run_command(node, "policy", "publish", draft["id"])
    return str((await read(hq, "/policies/level"))["reference"])


async def arrived(city: httpx.AsyncClient, reference: str) -> None:
    """Wait until a city goes by the policy that HQ goes by.

    Raises:
        CommandFailed: if it does not come in time.
    """
    pause = 0.1
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while (await read(city, "/policies/level"))["reference"] != reference:
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


async def _evaluate(node: PlannedNode, file: Path, billed: date) -> None:
    """Import the last month's bills into a city, and evaluate the levels of its customers."""
    arguments = ("--mapping", str(BILLS), f"--set=billed={billed}")
    await run_command(node, "customer", "import", str(file), *arguments)
    await run_command(node, "evaluate", "level")


async def counted(city: httpx.AsyncClient) -> dict[str, int]:
    """Return how many customers of a city have each level by the rule."""
    found = {}
    for level in LEVELS:
        page = await read(city, "/level-results", level=level, limit=1, count="true")
        found[level] = page["count"]
    return found


async def explained(city: httpx.AsyncClient, level: str) -> dict[str, Any]:
    """Return why one customer has a level: ``zh``, ``en``, and what the next level takes."""
    (one,) = (await read(city, "/level-results", level=level, limit=1))["items"]
    standing = await read(city, f"/customers/{one['customer_id']}/level")
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


async def judge(stage: Stage) -> Judged:
    """Let HQ publish the policy and the cities judge their customers by it, and try another one in a city."""
    billed = month_before(stage.memory.reference)
    async with stage.client(HQ_CODE, "analyst") as hq:
        reference = await publish(hq, stage.node(HQ_CODE))
    profiles = stage.profiles()

    async def judge_city(node: PlannedNode) -> dict[str, int]:
        people = [person for person in profiles if person.city == node.code]
        file = stage.home / "import" / f"{node.code}-bills.csv"
        write_bills(people, file)
        async with stage.client(node.code, "supervisor") as city:
            await arrived(city, reference)
            await _evaluate(node, file, billed)
            return await counted(city)

    found = await some_at_a_time([partial(judge_city, node) for node in stage.cities])
    async with stage.client(TRIED_IN, "supervisor") as city:
        why = await explained(city, "gold")
    lines = await tried(stage.node(TRIED_IN), stage.home)
    levels = {node.code: each for node, each in zip(stage.cities, found, strict=True)}
    return Judged(reference, levels, why, lines)


def show(stage: Stage, judged: Judged) -> None:
    """Tell what the rules found."""
    table = table_of("city", *LEVELS)
    for node in stage.cities:
        counts = judged.levels[node.code]
        table.add_row(node.name, *(f"{counts[level]:,}" for level in LEVELS))
    stage.console.print(table)
    for language in ("en", "zh"):
        stage.console.print(judged.explained[language], highlight=False, soft_wrap=True)
        for advice in judged.explained["next"]:
            stage.say(f"    {advice[language]}")
    stage.console.print(
        f"What if gold began at {TRIED['gold_fen'] / 100:g} yuan? A dry run in {stage.node(TRIED_IN).name}:",
        highlight=False,
        soft_wrap=True,
    )
    lines = table_of("from", "to", "customers", "cost before", "cost after")
    for line in judged.tried:
        lines.add_row(
            line["was_label"] or "-",
            line["label"],
            f"{line['customers']:,}",
            *(f"{line[name] / 100:,.0f}" for name in ("was_cost_fen", "cost_fen")),
        )
    stage.console.print(lines)
