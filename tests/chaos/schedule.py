"""Which faults happen to whom, and when: decided by the seed alone."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

PARENTS: Mapping[str, str | None] = {
    "000000": None,
    "440000": "000000",
    "110000": "000000",
    "440100": "440000",
    "440300": "440000",
    "110100": "110000",
}
"""The nation, parents first: every node with the one above it."""
CITIES = tuple(code for code in PARENTS if not code.endswith("0000"))
PORTS = ("network", "sms", "billing", "receipt-printer")
"""The systems outside that cities make act."""

ALL_PORTS = "ports"
"""What they are called together: they share a process."""

QUIET_BEFORE = 2.0
"""Seconds at the beginning without faults."""
USUAL_SPACING = 4.0
LONGEST = 15.0
OLDEST_BACKUP = 60.0


class Kind(StrEnum):
    """What can go wrong."""

    NODE_KILLED = "node-killed"
    POSTGRES_KILLED = "postgres-killed"
    DISK_FULL = "disk-full"
    CLOCK_OFF = "clock-off"
    RESTORED = "restored-from-backup"
    LINK_REFUSED = "link-refused"
    LINK_CUT = "link-cut"
    LINK_DELAYED = "link-delayed"
    LINK_ONE_WAY = "link-one-way"
    ACKS_LOST = "acks-lost"
    LATE_DUPLICATES = "late-duplicates"
    REORDERED = "connections-reordered"
    PORT_FAILING = "port-failing"
    PORTS_KILLED = "ports-killed"

    @property
    def is_of_link(self) -> bool:
        """Whether it befalls a link rather than a node."""
        return self in _OF_LINKS

    @property
    def targets(self) -> Sequence[str]:
        """Whom it may befall."""
        if self is Kind.PORT_FAILING:
            return PORTS
        if self is Kind.PORTS_KILLED:
            return (ALL_PORTS,)
        return [code for code in PARENTS if PARENTS[code] or not self.is_of_link]


_OF_LINKS = frozenset(
    {
        Kind.LINK_REFUSED,
        Kind.LINK_CUT,
        Kind.LINK_DELAYED,
        Kind.LINK_ONE_WAY,
        Kind.ACKS_LOST,
        Kind.LATE_DUPLICATES,
        Kind.REORDERED,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        at: when it begins, in seconds from the beginning of the faults.
        kind: what it is.
        target: code of the node, or of the child whose link to its parent it is; or the name of the port.
        lasts: after how many seconds it heals.
        chance: a number from 0 to 1 that decides the particulars.
    """

    at: float
    kind: Kind
    target: str
    lasts: float
    chance: float

    @property
    def needs(self) -> tuple[str, ...]:
        """The nodes, links and ports that no other fault may befall meanwhile."""
        if self.kind is Kind.PORT_FAILING:
            return (f"port {self.target}",)
        if self.kind is Kind.PORTS_KILLED:
            return tuple(f"port {port}" for port in PORTS)
        if self.kind.is_of_link:
            return (f"link {self.target}",)
        if self.kind is not Kind.RESTORED:
            return (f"node {self.target}",)
        # What it told nobody, nobody can give back to it: so its way up has to work just before.
        above = PARENTS[self.target]
        own = (f"link {self.target}", f"node {self.target}")
        return own if above is None else (*own, f"node {above}")

    @property
    def backup_at(self) -> float:
        """When the backup was taken that the node is restored from."""
        return max(0.0, self.at - 3.0 - self.chance * (OLDEST_BACKUP - 3.0))

    @property
    def is_upward(self) -> bool:
        """Which way a fault of a link goes, if it goes one way."""
        return self.chance < 0.5


def schedule(seed: int, seconds: float, kinds: Sequence[Kind] = tuple(Kind)) -> list[Fault]:
    """Return the faults of a run in order; the same for the same arguments.

    Kinds are dealt like cards, so that all come equally often and each comes at least once.

    Args:
        seed: what decides.
        seconds: how long the faults go on; the last heals about then.
        kinds: what may go wrong; one that is named twice comes twice as often.
    """
    chance = random.Random(f"{seed} {seconds} {kinds}")  # noqa: S311 - to be repeated, not to be secret
    number = max(len(kinds), int((seconds - QUIET_BEFORE) / USUAL_SPACING))
    longest = min(LONGEST, seconds / 6)
    spacing = (seconds - QUIET_BEFORE - longest) / number
    dealt: list[Kind] = []
    while len(dealt) < number:
        deck = list(kinds)
        chance.shuffle(deck)
        dealt += deck
    faults: list[Fault] = []
    free_at: dict[str, float] = {}
    for turn, kind in enumerate(dealt[:number]):
        at = QUIET_BEFORE + (turn + chance.random()) * spacing
        lasts = chance.uniform(min(1.0, longest / 2), longest)
        fault = _placed(chance, free_at, Fault(at, kind, "", lasts, chance.random()))
        free_at |= dict.fromkeys(fault.needs, fault.at + fault.lasts)
        faults.append(fault)
    return sorted(faults, key=lambda fault: fault.at)


def _placed(chance: random.Random, free_at: Mapping[str, float], fault: Fault) -> Fault:
    """Return the fault with a target whom nothing else befalls meanwhile, or else with whoever is free first."""
    targets = list(fault.kind.targets)
    chance.shuffle(targets)
    possible = []
    for target in targets:
        placed = replace(fault, target=target)
        free = max(free_at.get(need, 0.0) for need in placed.needs)
        possible.append(replace(placed, at=max(fault.at, free)))
    return min(possible, key=lambda each: each.at)
