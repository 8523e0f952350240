"""The nation's figures: asked of HQ over REST, and counted over the table to compare."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from services.demo.nodes import run_command
from services.demo.people import Person
from services.demo.stage import Stage, some_at_a_time
from services.demo.telling import local, table_of
from shared.commandline import CommandFailed
from shared.kernel.settings import HQ_CODE
from shared.organisation.division import province_of

ARRIVAL_SECONDS = 90.0
"""How long the cities' slices may be on their way to HQ."""
COUNTS = {
    "customers": "customers",
    "retained": "retained_customers",
    "monthly_charge_fen": "monthly_charge_fen",
}
"""What is compared with the table, and the indicators that say it."""
TABLE = (
    "customers",
    "retained_customers",
    "monthly_charge_fen",
    "arpu_fen",
    "key_customer_share",
    "mean_tenure_months",
    "churn_rate",
)
"""The indicators of the national table."""
SHOWN = {"customer": "customers", "revenue": "billed_revenue_fen"}
"""The datasets whose figures are shown, and an indicator of each."""
LEVELS = ("city", "province", "nation")

Counts = dict[str, dict[str, int]]
"""Figures by name and division code."""
Revisions = Mapping[tuple[str, str], int]
"""The revision of each slice, by city and dataset."""


@dataclass(frozen=True, slots=True)
class National:
    """HQ's answer.

    Attributes:
        rows: the figures of every region, cities first, the nation last.
        by_level: the nation's customers by level of service.
        provenance: what the figures are made of.
    """

    rows: list[dict[str, Any]]
    by_level: list[dict[str, Any]]
    provenance: list[dict[str, Any]]

    def counts(self) -> Counts:
        """Return what is compared with the table."""
        return {
            name: {row["region"]["code"]: int(row["values"][indicator]) for row in self.rows}
            for name, indicator in COUNTS.items()
        }


async def ask(
    client: httpx.AsyncClient, period: str, indicators: Iterable[str], **question: str
) -> dict[str, Any]:
    """Ask HQ for figures of ``period``.

    Args:
        client: signed in at HQ.
        period: the month.
        indicators: codes of what is asked for.
        question: further parameters of the query.

    Raises:
        CommandFailed: if it refuses.
    """
    answer = await client.get(
        "/statistics/values",
        params={"indicator": ",".join(indicators), "period": period, **question},
    )
    if answer.status_code != httpx.codes.OK:
        raise CommandFailed(f"HQ does not answer the question: {answer.text}")
    content: dict[str, Any] = answer.json()
    return content


async def await_slices(
    client: httpx.AsyncClient, period: str, expected: Revisions, on_progress: Callable[[int], None]
) -> None:
    """Wait until HQ has every slice of these in the revision that its city made.

    Args:
        client: signed in at HQ.
        period: the month.
        expected: the revisions that the cities made.
        on_progress: told how many have come.

    Raises:
        CommandFailed: if they do not all come in time.
    """
    pause, datasets = 0.1, {dataset for _, dataset in expected}
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while missing := expected.items() - (await _arrived(client, period, datasets)).items():
                on_progress(len(expected) - len(missing))
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 1.0)
    except TimeoutError:
        late = ", ".join(sorted({city for (city, _), _ in missing}))
        raise CommandFailed(
            f"HQ has not got the figures of {late} after {ARRIVAL_SECONDS:.0f} s. `guanxi status --node {HQ_CODE}` shows where they wait."
        ) from None
    on_progress(len(expected))


async def _arrived(
    client: httpx.AsyncClient, period: str, datasets: Iterable[str]
) -> dict[tuple[str, str], int]:
    content = await ask(client, period, [SHOWN[dataset] for dataset in sorted(datasets)])
    return {
        (city["node"], made_of["dataset"]): city["revision"]
        for made_of in content["provenance"]
        for city in made_of["cities"]
    }


async def national(client: httpx.AsyncClient, period: str) -> National:
    """Ask HQ for the whole table."""
    answers = [
        await ask(client, period, TABLE, by="region", region_level=level) for level in LEVELS
    ]
    by_level = await ask(
        client, period, ("customers", "monthly_charge_fen", "arpu_fen"), by="level"
    )
    return National(
        [row for answer in answers for row in answer["rows"]],
        by_level["rows"],
        answers[-1]["provenance"],
    )


def counted(people: Iterable[Person]) -> Counts:
    """Count the table itself, where people live now, with nothing of the program."""
    counts: Counts = {name: {} for name in COUNTS}
    for person in people:
        for code in (person.city, province_of(person.city).code, HQ_CODE):
            here = {
                "customers": not person.has_left,
                "retained": person.has_left,
                "monthly_charge_fen": 0 if person.has_left else person.monthly_charge_fen,
            }
            for name, amount in here.items():
                counts[name][code] = counts[name].get(code, 0) + amount
    return counts


def compare(found: Counts, plain: Counts) -> None:
    """Require that HQ says what a plain count does.

    Raises:
        CommandFailed: naming every figure that differs.
    """
    wrong = [
        f"{name} of {code}: HQ says {found[name].get(code)}, the table {plain[name].get(code)}"
        for name in plain
        for code in plain[name].keys() | found[name].keys()
        if found[name].get(code) != plain[name].get(code)
    ]
    if wrong:
        raise CommandFailed(
            f"HQ's figures are not those of the table: {'; '.join(sorted(wrong))}. If you have changed customers of this demo, that is right, "
            "and `guanxi demo --fresh` begins anew; otherwise it is an error of the program."
        )


async def roll_up(stage: Stage, hq: httpx.AsyncClient) -> National:
    """Let the cities count their customers, and return what HQ then says."""
    period = stage.memory.period
    slices = await some_at_a_time(
        [partial(run_command, node, "rollup", "run", "--period", period) for node in stage.cities]
    )
    expected = {
        (node.code, each["dataset"]): each["revision"]
        for node, its in zip(stage.cities, slices, strict=True)
        for each in its
        if each["dataset"] in SHOWN
    }
    with stage.progress() as bar:
        task = bar.add_task("Slices at HQ", total=len(expected))
        await await_slices(
            hq, period, expected, lambda arrived: bar.update(task, completed=arrived)
        )
    return await national(hq, period)


def show(stage: Stage, found: National) -> None:
    """Tell what HQ says, and of what it is made."""
    table = table_of("region", "in network", "retained", "yuan/month", "yuan each", "key", "churn")
    for row in found.rows:
        values = row["values"]
        table.add_row(
            f"{row['region']['code']} {row['region']['name']}",
            f"{values['customers']:,.0f}",
            f"{values['retained_customers']:,.0f}",
            f"{values['monthly_charge_fen'] / 100:,.2f}",
            f"{values['arpu_fen'] / 100:,.2f}",
            f"{values['key_customer_share']:.1f}%",
            f"{values['churn_rate']:.1f}%",
        )
    stage.console.print(table)
    levels = table_of("level", "in network", "yuan/month", "yuan each")
    for row in found.by_level:
        values = row["values"]
        levels.add_row(
            row["level"],
            f"{values['customers']:,.0f}",
            f"{values['monthly_charge_fen'] / 100:,.2f}",
            f"{(values['arpu_fen'] or 0) / 100:,.2f}",
        )
    stage.console.print(levels)
    say_provenance(stage, found.provenance)
    stage.conclude("A plain count over the table gives the same.")


def say_provenance(
    stage: Stage, provenance: Iterable[Mapping[str, Any]], *, known_at: str | None = None
) -> None:
    """Tell what figures are made of.

    Args:
        stage: where it is told.
        provenance: of each dataset.
        known_at: the moment whose knowledge was asked for; ``None`` for the present.
    """
    known = f" As known at {local(known_at)}." if known_at else ""
    for made_of in provenance:
        revisions = ", ".join(
            f"{city['node']} revision {city['revision']} ({city['hash'][:8]})"
            for city in made_of["cities"]
        )
        missing = ", ".join(made_of["missing"]) or "none"
        stage.say(
            f"Made of the slices of {made_of['included']} of {made_of['expected']} cities, dataset {made_of['dataset']}: {revisions}. "
            f"Missing: {missing}. The oldest was counted at {local(made_of['as_of'])}.{known}"
        )
