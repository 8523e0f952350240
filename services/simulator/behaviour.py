"""What each simulated system does, and what it refuses: the least that keeps the contract's promises.

A behaviour *looks* whether it refuses and *does* what it does not. What it knows comes from what it has done, so that
it is made anew from the journal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from shared.port.contracts import billing, card_supplier, network
from shared.port.declaration import Form, Port


class Refused(Exception):
    """The system refuses for good; nothing that names anybody is in it.

    Attributes:
        slug: the last part of the problem's type.
        title: what it is called.
        detail: the whole sentence.
    """

    def __init__(self, slug: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.slug, self.title, self.detail = slug, title, detail


class Behaviour:
    """A system that refuses nothing and remembers nothing."""

    def refuse(self, asked: Form) -> None:
        """Refuse what cannot be done.

        Raises:
            Refused: saying why.
        """

    def tell(self, asked: Form, *, now: datetime) -> dict[str, object]:  # noqa: ARG002 - what most have to tell
        """Return what the answer says beside a reference and the time."""
        return {}

    def do(self, asked: Form) -> None:
        """Take in what is done."""


class Sim(BaseModel):
    """A card that a number answers on."""

    iccid: str
    imsi: str


class Network(Behaviour):
    """The register of subscribers: a number answers on one card, and a card answers for one number.

    It learns of numbers by what it is asked: one that it has not heard of it takes for in use on the card that is
    replaced. It would refuse to replace a card that it knows to be another. A move may give a line another number.
    """

    def __init__(self) -> None:
        self.cards: dict[str, Sim] = {}
        self._numbers: dict[str, str] = {}
        self.suspended: set[str] = set()

    def refuse(self, asked: Form) -> None:
        """Refuse a card that is another number's, or that takes the place of one that is not in use."""
        if not isinstance(asked, network.SimSwitch | network.LineMove):
            return
        former = asked.former_msisdn if isinstance(asked, network.LineMove) else None
        if self._numbers.get(asked.iccid, asked.msisdn) not in {asked.msisdn, former}:
            raise Refused("card-in-use", "Card in use", "The new card answers for another number.")
        present = self.cards.get(asked.msisdn)
        if (
            isinstance(asked, network.SimSwitch)
            and present is not None
            and present.iccid != asked.replaces
        ):
            raise Refused(
                "card-not-present",
                "Card not in use",
                "The number does not answer on the card that is to be replaced.",
            )

    def do(self, asked: Form) -> None:
        """Switch, move, suspend or resume."""
        match asked:
            case network.SimSwitch() | network.LineMove():
                if isinstance(asked, network.LineMove) and asked.former_msisdn is not None:
                    self.cards.pop(asked.former_msisdn, None)
                before = self.cards.get(asked.msisdn)
                if before is not None:
                    self._numbers.pop(before.iccid, None)
                self.cards[asked.msisdn] = Sim(iccid=asked.iccid, imsi=asked.imsi)
                self._numbers[asked.iccid] = asked.msisdn
            case network.Suspension():
                self.suspended.add(asked.msisdn)
            case network.Resumption():
                self.suspended.discard(asked.msisdn)


class Billing(Behaviour):
    """The billing system: a payment is credited once, and its credit taken back once."""

    def __init__(self) -> None:
        self.credited: dict[str, billing.Credit] = {}
        self.reversed: set[str] = set()

    def refuse(self, asked: Form) -> None:
        """Refuse a payment that was credited under another key, and a reversal of what is not credited."""
        match asked:
            case billing.Credit() if asked.payment in self.credited:
                raise Refused("credited-before", "Credited before", "The payment was credited.")
            case billing.CreditReversal() if asked.payment not in self.credited:
                raise Refused("payment-unknown", "Payment unknown", "No such payment was credited.")
            case billing.CreditReversal() if asked.payment in self.reversed:
                raise Refused("reversed-before", "Reversed before", "The credit was taken back.")

    def do(self, asked: Form) -> None:
        """Credit, or take back."""
        match asked:
            case billing.Credit():
                self.credited[asked.payment] = asked
            case billing.CreditReversal():
                self.reversed.add(asked.payment)


BOX = 100
"""Cards that the simulated supplier puts into one consignment."""


@dataclass(slots=True)
class _Ordered:
    """An order, and how far it is.

    Attributes:
        before: cards that were ordered before it: what its own are numbered from.
        cards: how many.
        shipped: consignments.
        cancelled: nothing more is shipped.
    """

    before: int
    cards: int
    shipped: int = 0
    cancelled: bool = False

    def ships(self, consignment: int) -> bool:
        """Tell whether it has shipped a consignment, or does so now that it is asked."""
        if self.cancelled:
            return consignment <= self.shipped
        return (consignment - 1) * BOX < self.cards

    def box(self, consignment: int) -> tuple[card_supplier.BlankCard, ...]:
        """Return the cards of a consignment: numbers that no other order has."""
        places = range((consignment - 1) * BOX, min(consignment * BOX, self.cards))
        numbers = [self.before + place + 1 for place in places]
        return tuple(
            card_supplier.BlankCard(iccid=f"89860088{n:012d}", imsi=f"46088{n:010d}")
            for n in numbers
        )


class CardSupplier(Behaviour):
    """The supplier of cards: it ships an order box by box, each when it is asked for its advice."""

    def __init__(self) -> None:
        self._orders: dict[str, _Ordered] = {}
        self._ordered = 0

    def refuse(self, asked: Form) -> None:
        """Refuse an order that was placed under another key, and what is about one that was not placed."""
        match asked:
            case card_supplier.Order() if asked.order in self._orders:
                raise Refused("ordered-before", "Ordered before", "The order was placed.")
            case card_supplier.AdviceRequest() | card_supplier.Cancellation():
                if asked.order not in self._orders:
                    raise Refused("order-unknown", "Order unknown", "No such order was placed.")

    def tell(self, asked: Form, *, now: datetime) -> dict[str, object]:
        """Say what is in a consignment, and whether another comes after it."""
        if not isinstance(asked, card_supplier.AdviceRequest):
            return {}
        order, number = self._orders[asked.order], asked.consignment
        consignment = None
        if order.ships(number):
            consignment = card_supplier.Consignment(
                reference=f"{asked.order}/{number}", shipped_at=now, cards=order.box(number)
            )
        return {"consignment": consignment, "complete": not order.ships(number + 1)}

    def do(self, asked: Form) -> None:
        """Take an order, ship a box of it, or ship no more."""
        match asked:
            case card_supplier.Order():
                self._orders[asked.order] = _Ordered(self._ordered, asked.cards)
                self._ordered += asked.cards
            case card_supplier.AdviceRequest():
                order = self._orders[asked.order]
                if order.ships(asked.consignment):
                    order.shipped = max(order.shipped, asked.consignment)
            case card_supplier.Cancellation():
                self._orders[asked.order].cancelled = True


_OF: Mapping[Port, Callable[[], Behaviour]] = {
    network.PORT: Network,
    billing.PORT: Billing,
    card_supplier.PORT: CardSupplier,
}


def behaviour_of(port: Port) -> Behaviour:
    """Return the simulated system of a port, as it is before anything was asked."""
    return _OF.get(port, Behaviour)()
