"""``python -m tests.chaos``: see the package, ``docs/chaos.md``, or ``--help``."""

import argparse
import asyncio
import json
import logging
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import structlog

from shared.node.up import cancel_when_told_to_end
from tests import chaos
from tests.chaos.counter.clerks import CLERKS, MIX, RIVALS, Work
from tests.chaos.counter.services import SERVICES
from tests.chaos.nation import prepare
from tests.chaos.run import Plan, Report, carry_out
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.schedule import Kind
from tests.chaos.traps import SHORT_TRAPS, TRAPS

SECONDS, SHORT_SECONDS = 1200.0, 20.0
RATE, SHORT_RATE = 9.0, 8.0
MANY_CLERKS = 40
"""At each city in a long run: what they wait for, faults and links, does not get longer for their number."""
PATIENCE = 180.0
SABOTAGED_SECONDS, SABOTAGED_PATIENCE, SABOTAGED_CUSTOMERS = 12.0, 8.0, 20


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make chaos", description=chaos.__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--seconds", type=float, help="how long things go wrong (default: 1200)")
    add("--seed", type=int, help="repeat the faults of a run (default: a new seed)")
    add("--rate", type=float, help="new requests a second, of all clients together")
    add("--short", action="store_true", help="the short form: half a minute, fewer requests")
    add("--json", action="store_true", help="end with the report as one line of JSON")
    add(
        "--sabotage",
        nargs="+",
        choices=["none", *SABOTAGES],
        help="one run alone, of nodes that lack this; without it, a run of sound nodes,\n"
        "and after it short ones of nodes that lack something, which has to be found",
    )
    add("--kinds", nargs="+", type=Kind, choices=list(Kind), help="only these faults")
    add("--services", nargs="+", choices=list(SERVICES), help="clerks do only these")
    add("--rivals", type=int, default=RIVALS, help="one customer in so many is at two counters")
    add(
        "--clerks",
        type=int,
        help="how many clerks there are at each city (default: 40; 10 if short)",
    )
    add("--patience", type=float, default=PATIENCE, help="seconds for what is under way at the end")
    add("--keep", type=Path, metavar="DIR", help="keep the nodes' homes and logs in this directory")
    return parser.parse_args()


def say(what: str) -> None:
    """Tell whoever watches."""
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


async def run(given: argparse.Namespace, home: Path) -> tuple[Report, bool]:
    """Do what is asked; returns the report of the first run, and whether all is as it should be."""
    cancel_when_told_to_end()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**31)
    say(f"seed {seed}: the same faults come again with --seed {seed}")
    began = time.monotonic()
    await prepare(home / "prepared")
    say(f"{time.monotonic() - began:6.1f} s  a nation is prepared")
    plan = Plan(
        seed=seed,
        seconds=given.seconds or (SHORT_SECONDS if given.short else SECONDS),
        rate=given.rate or (SHORT_RATE if given.short else RATE),
        patience=given.patience,
        sabotage=tuple(name for name in given.sabotage or () if name != "none"),
        kinds=tuple(given.kinds or Kind),
        work=Work(
            tuple(given.services or MIX),
            given.rivals,
            given.clerks or (CLERKS if given.short else MANY_CLERKS),
        ),
    )
    report = await carry_out(plan, home / "prepared", home / "nodes", say)
    tell(report, _named(plan))
    good = report.is_good
    if given.sabotage is None:
        for trap in SHORT_TRAPS if given.short else TRAPS:
            lacking = Plan(
                seed,
                SABOTAGED_SECONDS,
                SHORT_RATE,
                SABOTAGED_PATIENCE,
                tuple(trap.lacks),
                trap.kinds * 2,
                trap.work,
                SABOTAGED_CUSTOMERS,
            )
            place = home / f"without-{'-'.join(trap.lacks)}"
            found = await carry_out(lacking, home / "prepared", place, say)
            tell(found, _named(lacking))
            missed = trap.missed(found)
            for lack in trap.lacks:
                caught = "NOT CAUGHT" if lack in missed else "caught"
                say(f"=> the checker has {caught} nodes without {lack}")
            good = good and not missed
    return report, good


def _named(plan: Plan) -> str:
    return f"nodes without {' and '.join(plan.sabotage)}" if plan.sabotage else "sound nodes"


def tell(report: Report, of: str) -> None:
    """Write a report for people."""
    say(f"\n{of}, seed {report.seed}: {report.requests} requests")
    for name, value in report.line().items():
        if name in {"faults", "accepted", "served"}:
            for kind, count in sorted(getattr(report, name).items()):
                say(f"  {kind:24} {count:6}")
        elif name not in {"seed", "requests"}:
            say(f"  {name.replace('_', ' '):24} {value:6}{'' if value == 0 else '   <= broken'}")


def main() -> int:
    """Run; the exit code is 0 only if every promise held, and every sabotage was caught."""
    given = arguments()
    if given.keep and given.keep.exists() and any(given.keep.iterdir()):
        say(f"{given.keep} is not empty: name another directory with --keep, or empty it.")
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    home = given.keep or Path(tempfile.mkdtemp(prefix="guanxi-chaos-"))
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)  # PostgreSQL's account has to pass through it
    good = False
    try:
        report, good = asyncio.run(run(given, home))
    except asyncio.CancelledError:
        say("Broken off.")
        return 130
    finally:
        if good and not given.keep:
            shutil.rmtree(home)
        else:
            say(f"The nodes' homes and logs are in {home}.")
    if given.json:
        sys.stdout.write(f"{json.dumps(report.line())}\n")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
