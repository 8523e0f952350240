"""The judgement of the counters: what clerks were told, against what the nodes say. Pure, so that it can be tested.

requests_lost
    A clerk was told that a request was accepted, and its city does not know it.
requests_open
    A request that has not ended at one of its ends, though everything is at rest.
requests_disputed
    One that both ends know and that was done at the one and not at the other, or of which they name another amount.
owners_violated
    Customers whose number no city, or more than one, has as that of a customer of its own; those whom HQ's directory
    gives to another city than the one that has them, or in another epoch; and moves, by the directory's history, of
    customers whom the city that asked for it did not have. Whoever is on the way while a transfer has not ended is as
    yet nobody's violation.
sims_violated
    Lines in use without a SIM, SIMs that are in use on two lines, cards of a stock that are in use and were not issued,
    and cards that are still reserved or written for somebody when every request has ended.
handsets_violated
    Loan handsets that two customers had at once, that are in no stock any more, or that are not what the clerks left
    them as: in stock, or damaged.
payments_violated
    Payments that the visited city has as credited and the home city has not, or with another amount, or the reverse;
    payments that are not in the balance of their line exactly once; and credited ones that no clerk was told of, so
    that nobody has a receipt for them.
points_violated
    Customers whose points are not as many as in the beginning: nobody earns or redeems any.
clearing_difference_fen
    What the nodes' ledgers are out by: each should add up to zero, the accounts at both ends of a link should mirror
    each other, the cash of each city be what its tills have of it, and its customers' account what it has credited.
ports_violated
    What follows outside and is not there exactly once (:mod:`~tests.chaos.counter.ports`).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from tests.chaos.counter.desk import IN_STOCK
from tests.chaos.counter.people import CARDS, HANDSETS, POINTS, Person
from tests.chaos.counter.ports import judge_ports
from tests.chaos.counter.records import Books, Payment, Request, Told
from tests.chaos.schedule import CITIES, PARENTS

DONE = frozenset({"completed"})


@dataclass(frozen=True, slots=True)
class Broken:
    """How often each invariant was broken."""

    requests_lost: int = 0
    requests_open: int = 0
    requests_disputed: int = 0
    owners_violated: int = 0
    sims_violated: int = 0
    handsets_violated: int = 0
    payments_violated: int = 0
    points_violated: int = 0
    clearing_difference_fen: int = 0
    ports_violated: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def judge(told: Told, everybody: Collection[Person], books: Books) -> Broken:
    """Return how often each invariant was broken."""
    ends: dict[str, list[Request]] = defaultdict(list)
    for request in books.requests:
        ends[request.id].append(request)
    known = {(each.node, each.id) for each in books.requests if each.role == "visited"}
    return Broken(
        requests_lost=sum((each.city, each.id) not in known for each in told.accepted),
        requests_open=sum(not each.ended for each in books.requests),
        requests_disputed=sum(_is_disputed(each) for each in ends.values()),
        owners_violated=_owners(everybody, books),
        sims_violated=_sims(books),
        handsets_violated=_handsets(told, books),
        payments_violated=_payments(books) + _untold(told, books),
        points_violated=sum(line.points != POINTS for line in books.lines),
        clearing_difference_fen=_clearing(books),
        ports_violated=judge_ports(everybody, books),
    )


def _is_disputed(ends: Iterable[Request]) -> bool:
    """Tell whether a request was done at one end alone, or at two homes. Who knows nothing of it has done nothing.

    It has several homes if its customer moved: those that were asked first have refused it.
    """
    done = [request for request in ends if request.state in DONE]
    roles = sorted(request.role for request in done)
    return roles not in ([], ["home", "visited"]) or len({request.home_fen for request in done}) > 1


def _owners(everybody: Iterable[Person], books: Books) -> int:
    live: dict[str, set[tuple[str, str]]] = defaultdict(set)
    on_the_way: set[str] = set()
    for line in books.lines:
        if line.is_live:
            live[line.msisdn].add((line.node, line.customer))
        else:
            on_the_way.add(line.msisdn)
    if all(request.ended for request in books.requests):
        on_the_way = set()  # nobody should be
    broken = sum(owned.torn for owned in books.directory.values())
    for line in books.lines:
        owned = books.directory.get(line.customer)
        says = (line.node, 1) if owned is None else (owned.owner, owned.epoch)
        broken += line.is_live and says != (line.node, line.epoch)
    for person in everybody:
        owners = len(live[person.msisdn])
        broken += owners > 1 or (owners == 0 and person.msisdn not in on_the_way)
    return broken


def _sims(books: Books) -> int:
    used = Counter(line.iccid for line in books.lines if line.iccid is not None)
    state = {card.iccid: card.state for card in books.cards}
    without = sum(line.iccid is None for line in books.lines)
    twice = sum(count - 1 for count in used.values())
    not_issued = sum(state.get(iccid, "issued") != "issued" for iccid in used)
    stuck = sum(card.state in {"reserved", "written"} for card in books.cards)
    missing = len(CITIES) * CARDS - len(books.cards)
    return without + twice + not_issued + stuck + missing


def _handsets(told: Told, books: Books) -> int:
    strayed = sum(each.state != told.handsets.get(each.id, IN_STOCK) for each in books.handsets)
    return told.lent_twice + strayed + len(CITIES) * HANDSETS - len(books.handsets)


def _untold(told: Told, books: Books) -> int:
    """Count payments that a line has, or is said to have, and that nobody has a receipt for."""
    credited = {each.id for each in books.payments if each.is_credited}
    return len(credited - {each.id for each in told.accepted})


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
