"""One run: a nation, its traffic and its faults; then rest, and judgement."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.chaos import reading
from tests.chaos.checker import Violations, judge
from tests.chaos.faults import Breaker
from tests.chaos.nation import Nation, running
from tests.chaos.schedule import Kind, schedule
from tests.chaos.traffic import Traffic

Say = Callable[[str], None]

TELL_EVERY = 10.0
LOOK_SECONDS = 1.0
STILL_LOOKS = 4
"""So many looks in a row at which nothing was under way and nothing had changed: nothing will."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to be.

    Attributes:
        seed: decides the faults and the requests.
        seconds: how long there are faults and new requests.
        rate: new requests a second.
        patience: seconds that what is under way may take after the last fault has healed.
        sabotage: what the nodes lack.
        kinds: what may go wrong.
    """

    seed: int
    seconds: float
    rate: float
    patience: float
    sabotage: str = "none"
    kinds: tuple[Kind, ...] = tuple(Kind)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    seed: int
    requests: int
    faults: Mapping[str, int]
    violations: Violations

    @property
    def is_good(self) -> bool:
        """Whether something was shown: requests were made, and no promise was broken."""
        return self.requests > 0 and not self.violations

    def line(self) -> dict[str, object]:
        """Return the report as it is written in JSON."""
        return {
            "seed": self.seed,
            "requests": self.requests,
            "faults": dict(self.faults),
            **asdict(self.violations),
        }


async def carry_out(plan: Plan, prepared: Path, home: Path, say: Say) -> Report:
    """Run a nation from a copy of ``prepared`` in ``home``, as planned, and judge it."""
    faults = schedule(plan.seed, plan.seconds, plan.kinds)
    started = time.monotonic()

    def told(what: str) -> None:
        say(f"{time.monotonic() - started:6.1f} s  {what}")

    async with running(prepared, home, seed=plan.seed, sabotage=plan.sabotage) as nation:
        told(f"{len(nation.members)} nodes are ready; {len(faults)} faults are to come")
        traffic = Traffic(nation, seed=plan.seed, rate=plan.rate)
        breaker = Breaker(nation, traffic, told)
        traffic.begin()
        telling = asyncio.create_task(_tell(traffic, told))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(breaker.carry_out(faults))
                tasks.create_task(asyncio.sleep(plan.seconds))
        finally:
            telling.cancel()
        told("all faults have healed")
        ends = time.monotonic() + plan.patience
        unheard = await traffic.finish(plan.patience)
        if unheard:
            told(f"{unheard} clients were not heard after {plan.patience:.0f} s")
        for member in nation.members.values():
            await member.until_ready()
        rested = await _rest(nation, len(traffic.accepted), ends)
        told(
            f"{len(traffic.accepted)} requests were accepted ({traffic.repeated} repetitions); "
            f"{'all is at rest' if rested else 'not all has come to rest'}"
        )
        deaths = sum(member.deaths for member in nation.members.values())
        told(f"{deaths} times a node that was not killed had ended and was started again")
        evidence = await reading.evidence(nation)
        violations = judge(traffic.accepted, evidence)
        violations = replace(violations, unfinished=violations.unfinished + unheard)
    counted = {kind.value: breaker.done[kind] for kind in dict.fromkeys(plan.kinds)}
    return Report(plan.seed, len(traffic.accepted), counted, violations)


async def _tell(traffic: Traffic, say: Say) -> None:
    while True:
        await asyncio.sleep(TELL_EVERY)
        say(f"{len(traffic.accepted)} requests accepted")


async def _rest(nation: Nation, accepted: int, ends: float) -> bool:
    """Wait until everything is done, or nothing moves any more, or time is up; tells whether nothing is under way."""
    looks: list[tuple[int, ...]] = []
    while time.monotonic() < ends:
        looks.append(await reading.progress(nation))
        under_way, done = looks[-1]
        if not under_way and (
            done == 2 * accepted or looks[-STILL_LOOKS:] == [looks[-1]] * STILL_LOOKS
        ):
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False
