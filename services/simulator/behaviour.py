"""What each simulated system does, and what it refuses: the least that keeps the contract's promises.

A behaviour *looks* whether it refuses and *does* what it does not. What it knows comes from what it has done, so that
it is made anew from the journal.
"""

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from shared.port.contracts import billing, network
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


_OF: Mapping[Port, Callable[[], Behaviour]] = {network.PORT: Network, billing.PORT: Billing}


def behaviour_of(port: Port) -> Behaviour:
    """Return the simulated system of a port, as it is before anything was asked."""
    return _OF.get(port, Behaviour)()
