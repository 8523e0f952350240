"""The judgement of the ports: what they did, against what had to follow from the requests. Pure, as the others are.

From a card replacement that is completed there follow, each once, a switch in the network and a message to the
customer from its home city, and a receipt at the visited one; from a payment a receipt and, if it is credited, what
the billing system books; from a reversal that this takes it back; from a transfer a message. Each is known by a key
that follows from the request, the node and the effect, so that a second one is seen however it came about. What there
is by line or by loan, lines that move and receipts of deposits, is known from the nodes' calls. Counted are

- effects that a port had more than once, that it lacks, and that nothing asked for;
- calls that a node still has waiting, or that it handed over to people or gave up, when everything is at rest;
- calls that a node has as done and the port does not;
- numbers that answer, by the network, on another card than the one their city has.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from uuid import UUID

from services.city_node import billing_account, card_replacement, payment, repair, transfer
from shared.kernel.ids import derived_id
from tests.chaos.counter.people import Person
from tests.chaos.counter.records import Books, Request

_FOLLOWS = {
    ("card-replacement", "completed", "home"): (
        card_replacement.outside.SWITCH,
        card_replacement.outside.NOTICE,
    ),
    ("card-replacement", "completed", "visited"): (card_replacement.outside.RECEIPT,),
    ("payment", "credited", "home"): (payment.outside.CREDIT,),
    ("payment-reversal", "reversed", "home"): (payment.outside.REVERSE,),
    ("transfer", "completed", "visited"): (transfer.outside.NOTICE,),
}
"""The effects of one end's record of a request, by kind, state and role."""
_LOOSE = {
    each.name
    for each in (
        *billing_account.outside.EFFECTS,
        *repair.outside.EFFECTS,
        transfer.outside.MOVE,
    )
}
"""Effects by line, by loan, or by what happened on the way: the request's record does not tell how many."""


def judge_ports(everybody: Collection[Person], books: Books) -> int:
    """Return how often an effect outside is not there exactly once."""
    had = Counter(effect.key for effect in books.effects)
    expected = {key for request in books.requests for key in keys_of(request)}
    done = {call.id for call in books.calls if call.state == "done"}
    cards = _cards(everybody, books)
    return (
        sum(count - 1 for count in had.values())
        + len((expected | done) - had.keys())
        + len(had.keys() - expected - {call.id for call in books.calls if call.effect in _LOOSE})
        + sum(call.state != "done" for call in books.calls)
        + sum(cards[line.msisdn] != line.iccid for line in books.lines)
    )


def keys_of(request: Request) -> Iterator[str]:
    """Give the keys of the effects that follow from one end's record of a request."""
    effects = _FOLLOWS.get((request.kind, request.state, request.role), ())
    if (request.kind, request.role) == ("payment", "visited"):
        effects = (payment.outside.RECEIPT,)  # the money was in the till, whatever became of it
    for effect in effects:
        yield str(derived_id(UUID(request.id), request.node, effect.name))


def _cards(everybody: Collection[Person], books: Books) -> Mapping[str, str | None]:
    """Return the card that each number answers on: the first one, until the network has switched."""
    cards: dict[str, str | None] = {person.msisdn: person.iccid for person in everybody}
    for effect in books.effects:
        if effect.msisdn is not None and effect.iccid is not None:
            cards[effect.msisdn] = effect.iccid
    return cards
