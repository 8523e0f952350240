"""The judgement of the counters: what clerks were told, against what the nodes say. Pure, so that it can be tested.

requests_lost
    A clerk was told that a request was accepted, and its city does not know it.
requests_open
    A request that has not ended at one of its ends, though everything is at rest.
requests_disputed
    One that both ends know and that was done at the one and not at the other.
owners_violated
    Customers whose number no city, or more than one, has as that of a customer in its network; and those whom HQ's
    directory gives to another city than the one that has them, or in another epoch.
sims_violated
    Lines in use without a SIM, SIMs that are in use on two lines, cards of a stock that are in use and were not issued,
    and cards that are still reserved or written for somebody when every request has ended.
payments_violated
    Payments that the visited city has as credited and the home city has not, or with another amount, or the reverse;
    and payments that are not in the balance of their line exactly once.
points_violated
    Customers whose points are not as many as in the beginning: nobody earns or redeems any.
clearing_difference_fen
    What the nodes' ledgers are out by: each should add up to zero, the accounts at both ends of a link should mirror
    each other, the cash of each city be what its tills have of it, and its customers' account what it has credited.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from tests.chaos.counter.people import CARDS, POINTS, Person
from tests.chaos.counter.services import Served
from tests.chaos.schedule import CITIES, PARENTS

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
    points: int
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class Payment:
    """One end's record of a payment."""

    node: str
    id: str
    role: str
    state: str
    amount_fen: int
    is_reversed: bool

    @property
    def is_credited(self) -> bool:
        """Whether the line has it."""
        return self.state == "credited"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a node has booked.

    Attributes:
        node: which.
        positions: what each account owes, less what is due to it, in fen.
        sum_fen: what the node says that they add up to.
        till_fen: what the tills have of what was credited and not reversed; nothing at nodes without tills.
    """

    node: str
    positions: Mapping[str, int]
    sum_fen: int
    till_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """What the nodes say.

    Attributes:
        credits: the payment of each credit of a line's balance, and how much.
        directory: whose a customer is, and in which epoch, by HQ; without those who never moved.
    """

    requests: tuple[Request, ...]
    cards: tuple[Card, ...]
    lines: tuple[Line, ...]
    payments: tuple[Payment, ...] = ()
    credits: tuple[tuple[str, int], ...] = ()
    ledgers: tuple[Ledger, ...] = ()
    directory: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """How often each invariant was broken."""

    requests_lost: int = 0
    requests_open: int = 0
    requests_disputed: int = 0
    owners_violated: int = 0
    sims_violated: int = 0
    payments_violated: int = 0
    points_violated: int = 0
    clearing_difference_fen: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def judge(served: Iterable[Served], everybody: Iterable[Person], books: Books) -> Broken:
    """Return how often each invariant was broken."""
    ends: dict[str, list[Request]] = defaultdict(list)
    for request in books.requests:
        ends[request.id].append(request)
    known = {(each.node, each.id) for each in books.requests if each.role == "visited"}
    return Broken(
        requests_lost=sum((each.city, each.id) not in known for each in served),
        requests_open=sum(not each.ended for each in books.requests),
        requests_disputed=sum(_is_disputed(each) for each in ends.values()),
        owners_violated=_owners(everybody, books),
        sims_violated=_sims(books),
        payments_violated=_payments(books),
        points_violated=sum(line.points != POINTS for line in books.lines),
        clearing_difference_fen=_clearing(books),
    )


def _is_disputed(ends: Iterable[Request]) -> bool:
    """Tell whether a request was done at one end alone, or at two homes. Who knows nothing of it has done nothing.

    It has several homes if its customer moved: those that were asked first have refused it.
    """
    done = sorted(request.role for request in ends if request.state in DONE)
    return done not in ([], ["home", "visited"])


def _owners(everybody: Iterable[Person], books: Books) -> int:
    owners: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for line in books.lines:
        owners[line.msisdn].add((line.node, line.customer))
    apart = sum(
        books.directory.get(line.customer, (line.node, 1)) != (line.node, line.epoch)
        for line in books.lines
    )
    return apart + sum(len(owners[person.msisdn]) != 1 for person in everybody)


def _sims(books: Books) -> int:
    used = Counter(line.iccid for line in books.lines if line.iccid is not None)
    state = {card.iccid: card.state for card in books.cards}
    without = sum(line.iccid is None for line in books.lines)
    twice = sum(count - 1 for count in used.values())
    not_issued = sum(state.get(iccid, "issued") != "issued" for iccid in used)
    stuck = sum(card.state in {"reserved", "written"} for card in books.cards)
    missing = len(CITIES) * CARDS - len(books.cards)
    return without + twice + not_issued + stuck + missing


def _payments(books: Books) -> int:
    ends: dict[str, list[Payment]] = defaultdict(list)
    for payment in books.payments:
        ends[payment.id].append(payment)
    credited = Counter(books.credits)
    broken = 0
    for request, records in ends.items():
        amounts = {each.amount_fen for each in records if each.is_credited}
        is_at_both = len(amounts) == 1 and sorted(
            each.role for each in records if each.is_credited
        ) == ["home", "visited"]
        times = sum(count for (of, _), count in credited.items() if of == request)
        if amounts:
            broken += not is_at_both or times != 1 or credited[request, amounts.pop()] != 1
        else:
            broken += times > 0
    return broken + sum(of not in ends for of, _ in books.credits)


def _clearing(books: Books) -> int:
    ledgers = {ledger.node: ledger for ledger in books.ledgers}
    standing = [p for p in books.payments if p.is_credited and not p.is_reversed]
    out = 0
    for node, ledger in ledgers.items():
        own = ledger.positions
        out += abs(ledger.sum_fen) + abs(sum(own.values()))
        above = PARENTS[node]
        if above is not None:
            out += abs(own.get(above, 0) + ledgers[above].positions.get(node, 0))
        if ledger.till_fen is not None:
            home = sum(p.amount_fen for p in standing if (p.node, p.role) == (node, "home"))
            out += abs(own.get("cash", 0) - ledger.till_fen) + abs(own.get("customers", 0) + home)
    return out
