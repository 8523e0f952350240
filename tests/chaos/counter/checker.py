"""The judgement of the counters: what clerks were told, against what the nodes say. Pure, so that it can be tested.

requests_lost
    A clerk was told that a request was accepted, and its city does not know it.
requests_open
    A request that has not ended at one of its ends, though everything is at rest.
requests_disputed
    One that both ends know and that was done at the one and not at the other.
owners_violated
    Customers whose number no city, or more than one, has as that of a customer in its network.
sims_violated
    Lines in use without a SIM, SIMs that are in use on two lines, cards of a stock that are in use and were not issued,
    and cards that are still reserved or written for somebody when every request has ended.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tests.chaos.counter.clerks import Served
from tests.chaos.counter.people import CARDS, Person
from tests.chaos.schedule import CITIES

DONE = frozenset({"completed"})


@dataclass(frozen=True, slots=True)
class Request:
    """One end's record of a request."""

    node: str
    id: str
    kind: str
    role: str
    state: str
    home: str
    visited: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A card of a city's stock."""

    node: str
    iccid: str
    state: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line in use of a customer in a city's network, and the SIM that it uses."""

    node: str
    customer: str
    id: str
    msisdn: str
    iccid: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """What the nodes say."""

    requests: tuple[Request, ...]
    cards: tuple[Card, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """How often each invariant was broken."""

    requests_lost: int = 0
    requests_open: int = 0
    requests_disputed: int = 0
    owners_violated: int = 0
    sims_violated: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def judge(served: Iterable[Served], everybody: Iterable[Person], books: Books) -> Broken:
    """Return how often each invariant was broken."""
    ends: dict[str, dict[str, Request]] = defaultdict(dict)
    for request in books.requests:
        ends[request.id][request.role] = request
    known = {(each.node, each.id) for each in books.requests if each.role == "visited"}
    return Broken(
        requests_lost=sum((each.city, each.id) not in known for each in served),
        requests_open=sum(not each.ended for each in books.requests),
        requests_disputed=sum(_is_disputed(each) for each in ends.values()),
        owners_violated=_owners(everybody, books),
        sims_violated=_sims(books),
    )


def _is_disputed(ends: dict[str, Request]) -> bool:
    """Tell whether a request was done at one end alone. An end that knows nothing of it has done nothing."""
    done = {role for role, request in ends.items() if request.state in DONE}
    return len(done) == 1


def _owners(everybody: Iterable[Person], books: Books) -> int:
    owners: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for line in books.lines:
        owners[line.msisdn].add((line.node, line.customer))
    return sum(len(owners[person.msisdn]) != 1 for person in everybody)


def _sims(books: Books) -> int:
    used = Counter(line.iccid for line in books.lines if line.iccid is not None)
    state = {card.iccid: card.state for card in books.cards}
    without = sum(line.iccid is None for line in books.lines)
    twice = sum(count - 1 for count in used.values())
    not_issued = sum(state.get(iccid, "issued") != "issued" for iccid in used)
    stuck = sum(card.state in {"reserved", "written"} for card in books.cards)
    missing = len(CITIES) * CARDS - len(books.cards)
    return without + twice + not_issued + stuck + missing
