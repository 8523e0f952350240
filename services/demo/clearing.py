"""The day's clearing: what cities owe one another at their province, and provinces at HQ, against the tills' cash."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.demo.rest import await_none, read
from services.demo.stage import Stage
from services.demo.telling import table_of, yuan
from shared.commandline import CommandFailed
from shared.kernel.tier import Tier

READERS = {Tier.HQ: "analyst", Tier.PROVINCE: "coordinator", Tier.CITY: "supervisor"}
"""Who looks at the ledger of a node of each tier."""
CASH, CUSTOMERS = "cash", "customers"
Positions = Mapping[str, int]
"""What each account of a ledger comes to, in fen."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a node has booked.

    Attributes:
        parent: the node above it.
        day: what each account comes to on the day.
        ever: the same of all days.
        transfers: who pays whom how much to settle the day.
        statements: above the cities, how many days that are over each neighbour below has stated, by what came of it.
        tills_fen: at a city, what its tills have of what was credited elsewhere and not reversed, of all days.
        credited_fen: at a city, what its lines were credited, less what was reversed, of all days.
    """

    parent: str | None
    day: Positions
    ever: Positions
    transfers: list[dict[str, Any]]
    statements: Counter[str]
    tills_fen: int = 0
    credited_fen: int = 0


@dataclass(frozen=True, slots=True)
class Clearing:
    """The books of all nodes.

    Attributes:
        day: the business day.
        ledgers: by the nodes' codes.
    """

    day: date
    ledgers: Mapping[str, Ledger]

    @property
    def tills_fen(self) -> int:
        """What the tills of all cities have of what was credited."""
        return sum(ledger.tills_fen for ledger in self.ledgers.values())

    @property
    def credited_fen(self) -> int:
        """What the lines of all cities were credited."""
        return sum(ledger.credited_fen for ledger in self.ledgers.values())

    @property
    def sum_fen(self) -> int:
        """What the ledgers come to, each by itself without its sign: nothing, if each adds up to zero."""
        return sum(abs(sum(ledger.ever.values())) for ledger in self.ledgers.values())

    @property
    def difference_fen(self) -> int:
        """By how much all books are out: of zero, of the other end of a link, of the tills, of the lines."""
        out = self.sum_fen
        for code, ledger in self.ledgers.items():
            out += abs(ledger.ever.get(CASH, 0) - ledger.tills_fen)
            out += abs(ledger.ever.get(CUSTOMERS, 0) + ledger.credited_fen)
            if ledger.parent is not None:
                above = self.ledgers[ledger.parent].ever
                out += abs(ledger.ever.get(ledger.parent, 0) + above.get(code, 0))
        return out

    def facts(self) -> dict[str, Any]:
        """Return what a program wants to know of it."""
        return {
            "day": self.day,
            "sum_fen": self.sum_fen,
            "difference_fen": self.difference_fen,
            "tills_fen": self.tills_fen,
            "credited_fen": self.credited_fen,
            "positions": {code: ledger.day for code, ledger in self.ledgers.items()},
            "transfers": {
                code: ledger.transfers for code, ledger in self.ledgers.items() if ledger.transfers
            },
        }


async def clear(stage: Stage, day: date) -> Clearing:
    """Read the books of all nodes, when no payment waits for its home city any more.

    Raises:
        CommandFailed: if they do not agree with one another, and with the tills, to the last fen.
    """
    for city in stage.cities:
        async with stage.client(city.code, READERS[Tier.CITY]) as clerk:
            await await_none(clerk, "/payments", state="taken", role="visited")
    found = await asyncio.gather(*(_ledger(stage, node.code, day) for node in stage.nodes))
    codes = [node.code for node in stage.nodes]
    cleared = Clearing(day, dict(zip(codes, found, strict=True)))
    if cleared.difference_fen:
        raise CommandFailed(f"The books are out by {yuan(cleared.difference_fen)} yuan: {cleared}")
    return cleared


async def _ledger(stage: Stage, code: str, day: date) -> Ledger:
    node = stage.node(code)
    of_day = {"day_from": str(day), "day_before": str(day + timedelta(days=1))}
    async with stage.client(code, READERS[node.tier]) as client:
        today = await read(client, "/clearing/positions", **of_day)
        ever = await read(client, "/clearing/positions")
        netting = await read(client, "/clearing/netting", **of_day)
        stated = await read(client, "/clearing/statements", day_before=str(day), fields="state")
        tills = lines = None
        if node.tier is Tier.CITY:
            tills = await read(client, "/payments/totals")
            lines = await read(client, "/billing-accounts/totals")
    return Ledger(
        parent=node.parent,
        day={each["account"]: each["net_fen"] for each in today["accounts"]},
        ever={each["account"]: each["net_fen"] for each in ever["accounts"]},
        transfers=netting["transfers"] if node.tier is not Tier.CITY else [],
        statements=Counter(each["state"] for each in stated["items"]),
        tills_fen=tills["credited_fen"] if tills else 0,
        credited_fen=lines["credited_fen"] - lines["reversed_fen"] if lines else 0,
    )


def show(stage: Stage, cleared: Clearing) -> None:
    """Tell who owes what by which ledger, who pays whom, and what it is equal to."""
    table = table_of("ledger of", "account", "owes", "is owed")
    above = [node for node in stage.nodes if node.tier is not Tier.CITY]
    for node in above:
        for account, fen in cleared.ledgers[node.code].day.items():
            owes, due = (yuan(fen), "") if fen > 0 else ("", yuan(-fen))
            table.add_row(node.name, account, owes, due)
    stage.console.print(table)
    for node in above:
        for each in cleared.ledgers[node.code].transfers:
            stage.say(
                f"  {node.code}: {each['payer']} pays {each['payee']} {yuan(each['amount_fen'])} yuan."
            )
    states = sum((cleared.ledgers[node.code].statements for node in above), Counter[str]())
    stage.say(
        "  Days that are over, as neighbours stated them to one another: "
        + (", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none yet")
        + "."
    )
    stage.conclude(
        f"Each of {len(cleared.ledgers)} ledgers adds up to {yuan(cleared.sum_fen)}. Of all days the tills took {yuan(cleared.tills_fen)} "
        f"yuan for other cities, whose lines were credited {yuan(cleared.credited_fen)}; the books differ from that by {yuan(cleared.difference_fen)}."
    )
