"""The judgement: what the clients were told, against what the databases hold. Pure, so that it can be tested.

accepted
    The client has a 2xx for it. Only accepted requests are judged for what is missing; a second effect or answer
    counts whatever the client was told.
lost
    An accepted request that its own city no longer knows, or that has no effect at its destination, or no answer at
    its own city, while no node has anything of it left to deliver. A slice of a city's that its province or HQ does
    not have, or has otherwise, while nothing of it is left to deliver.
unfinished
    The same, but a node still has the message that would complete it, waiting to be sent or parked. A client that was
    still not heard in the end counts here, too (:mod:`~tests.chaos.run`).
duplicate effects, duplicate answers
    Every effect or answer of a request beyond its first.
inversions
    Effects at one city, of one origin and partition key, that came after the effect of a later request: counted by
    each request's first effect. The client of a key posts a request only when the one before was accepted, so their
    numbers are the order that they were posted in.
unverifiable receipts
    Places where ``guanxi federation verify`` finds that a node's evidence does not hold: stored acknowledgements, and
    the chains of messages that they are about.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from uuid import UUID

from shared.federation.envelope import answer_id

REQUESTED = "chaos.requested.v1"
ANSWERED = "chaos.answered.v1"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as its client knows it; ``number`` counts those of its origin and key."""

    id: UUID
    origin: str
    destination: str
    key: str
    number: int

    @property
    def answer_id(self) -> UUID:
        """The id of the message that answers it."""
        return answer_id(self.id, ANSWERED)


@dataclass(frozen=True, slots=True)
class Effect:
    """A row at the city that did what was asked; ``position`` grows."""

    node: str
    position: int
    request_id: UUID
    origin: str
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Which revision of a city's slice a node has as the current one."""

    city: str
    dataset: str
    period: str
    revision: int
    hash: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the databases hold in the end.

    Attributes:
        kept: ids of the requests that their own city has a row of.
        effects: every effect, of all cities.
        answers: the request of every answer, of all cities.
        pending: ids of the messages that some node has yet to deliver.
        told: what each city says of itself now.
        known: what is known above it, by the code of the node that knows.
        expected_at: the nodes that have to know a city's figures, by city.
        pending_figures: cities of which a slice is still to be delivered.
        unverifiable_receipts: how many there are.
    """

    kept: frozenset[UUID]
    effects: Iterable[Effect]
    answers: Iterable[UUID]
    pending: frozenset[UUID]
    told: Iterable[Figures] = ()
    known: frozenset[tuple[str, Figures]] = frozenset()
    expected_at: frozenset[tuple[str, str]] = frozenset()
    pending_figures: frozenset[str] = frozenset()
    unverifiable_receipts: int = 0


@dataclass(frozen=True, slots=True)
class Violations:
    """How often each promise was broken."""

    lost: int = 0
    duplicate_effects: int = 0
    duplicate_answers: int = 0
    inversions: int = 0
    unverifiable_receipts: int = 0
    unfinished: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def judge(accepted: Iterable[Request], evidence: Evidence) -> Violations:
    """Return how often each promise was broken."""
    effects = sorted(evidence.effects, key=lambda effect: (effect.node, effect.position))
    effects_of = Counter((effect.request_id, effect.node) for effect in effects)
    answers_of = Counter(evidence.answers)
    missing = [
        request
        for request in accepted
        if not (
            request.id in evidence.kept
            and effects_of[request.id, request.destination]
            and answers_of[request.id]
        )
    ]
    unfinished = sum(bool({each.id, each.answer_id} & evidence.pending) for each in missing)
    untold, late = _figures(evidence)
    by_request = Counter(effect.request_id for effect in effects)
    return Violations(
        lost=len(missing) - unfinished + untold,
        duplicate_effects=sum(count - 1 for count in by_request.values()),
        duplicate_answers=sum(count - 1 for count in answers_of.values()),
        inversions=_inversions(effects),
        unverifiable_receipts=evidence.unverifiable_receipts,
        unfinished=unfinished + late,
    )


def _inversions(effects: Iterable[Effect]) -> int:
    """Count first effects that came too late, given all in the order of node and position."""
    seen: set[UUID] = set()
    latest: dict[tuple[str, str, str], int] = {}
    found = 0
    for effect in effects:
        if effect.request_id in seen:
            continue
        seen.add(effect.request_id)
        stream = (effect.node, effect.origin, effect.key)
        found += effect.number < latest.get(stream, 0)
        latest[stream] = max(effect.number, latest.get(stream, 0))
    return found


def _figures(evidence: Evidence) -> tuple[int, int]:
    """Count slices that are not where they should be: those that nobody will bring, and those under way."""
    lost = late = 0
    for figures in evidence.told:
        for node, city in evidence.expected_at:
            if city == figures.city and (node, figures) not in evidence.known:
                if city in evidence.pending_figures:
                    late += 1
                else:
                    lost += 1
    return lost, late
