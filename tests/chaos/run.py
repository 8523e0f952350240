"""One run: a nation, its traffic and its faults; then rest, and judgement."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.chaos import reading
from tests.chaos.checker import Violations, judge
from tests.chaos.counter import checker as counter
from tests.chaos.counter.clerks import Clerks, Work
from tests.chaos.counter.people import people
from tests.chaos.counter.reading import books, under_way
from tests.chaos.faults import Breaker
from tests.chaos.nation import Nation, running, until
from tests.chaos.schedule import Kind, schedule
from tests.chaos.traffic import Traffic

Say = Callable[[str], None]

TELL_EVERY = 10.0
LOOK_SECONDS = 1.0
LONGEST_SERVING = 60.0
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
        work: what the clerks do.
        customers: how many the clerks serve at least before they go home, unless it takes them too long.
    """

    seed: int
    seconds: float
    rate: float
    patience: float
    sabotage: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = tuple(Kind)
    work: Work = field(default_factory=Work)
    customers: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    seed: int
    requests: int
    faults: Mapping[str, int]
    violations: Violations
    accepted: Mapping[str, int]
    served: Mapping[str, int]
    broken: counter.Broken

    @property
    def is_good(self) -> bool:
        """Whether something was shown: requests were made, and no promise was broken."""
        return self.requests > 0 and not self.violations and not self.broken

    def line(self) -> dict[str, object]:
        """Return the report as it is written in JSON."""
        return {
            "seed": self.seed,
            "requests": self.requests,
            "faults": dict(self.faults),
            **asdict(self.violations),
            "accepted": dict(self.accepted),
            "served": dict(self.served),
            **asdict(self.broken),
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
        clerks = Clerks(nation, seed=plan.seed, gates=traffic.gates, work=plan.work)
        breaker = Breaker(nation, traffic, told)
        traffic.begin()
        clerks.begin()
        telling = asyncio.create_task(_tell(traffic, clerks, told))
        try:
            # Faults are to meet work, also on a machine that is slow to begin with it.
            await _until_served(traffic, clerks, 1)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(breaker.carry_out(faults))
                tasks.create_task(asyncio.sleep(plan.seconds))
            await _until_served(traffic, clerks, plan.customers)
        finally:
            telling.cancel()
        told("all faults have healed")
        ends = time.monotonic() + plan.patience
        unheard, waiting = await asyncio.gather(
            traffic.finish(plan.patience), clerks.finish(plan.patience)
        )
        if unheard or waiting:
            told(
                f"{unheard} clients and {waiting} clerks were not heard after {plan.patience:.0f} s"
            )
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
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, ends - time.monotonic())):
                await until(lambda: _all_ended(nation))
        told_clerks = clerks.told()
        broken = counter.judge(told_clerks, list(people()), await books(nation))
        broken = replace(broken, requests_open=broken.requests_open + waiting)
        served = Counter(f"{each.kind} {each.state}" for each in clerks.served)
        accepted = Counter(each.kind for each in told_clerks.accepted)
        told(
            f"{accepted.total()} requests of customers were accepted ({clerks.repeated} repetitions)"
        )
        for what, times in sorted(clerks.refused.items()):
            told(f"{times} times refused at once: {what}")
    counted = {kind.value: breaker.done[kind] for kind in dict.fromkeys(plan.kinds)}
    return Report(plan.seed, len(traffic.accepted), counted, violations, accepted, served, broken)


async def _until_served(traffic: Traffic, clerks: Clerks, customers: int) -> None:
    """Wait until something was accepted and so many customers were served, but not for ever."""

    async def are_served() -> bool:
        return bool(traffic.accepted) and len(clerks.served) >= customers

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_SERVING):
            await until(are_served)


async def _all_ended(nation: Nation) -> bool:
    return await under_way(nation) == 0


async def _tell(traffic: Traffic, clerks: Clerks, say: Say) -> None:
    while True:
        await asyncio.sleep(TELL_EVERY)
        say(f"{len(traffic.accepted)} requests accepted, {len(clerks.served)} customers served")


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
