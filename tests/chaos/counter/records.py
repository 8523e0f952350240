"""What the judgement of the counters is made from: what clerks were told, and what nodes and simulators say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.counter.desk import Accepted


@dataclass(frozen=True, slots=True)
class Told:
    """What the clerks know at the end of the day.

    Attributes:
        accepted: the requests that they were told were accepted.
        handsets: what became of each loan handset that was ever lent.
        lent_twice: how often a handset was lent that another customer had.
    """

    accepted: tuple[Accepted, ...]
    handsets: Mapping[str, str] = field(default_factory=dict)
    lent_twice: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One end's record of a request.

    Attributes:
        home_fen: of a repair, what its home city bears of it.
    """

    node: str
    id: str
    kind: str
    role: str
    state: str
    home: str
    visited: str
    ended: bool
    home_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A card of a city's stock."""

    node: str
    iccid: str
    state: str


@dataclass(frozen=True, slots=True)
class Handset:
    """A loan handset of a city's stock."""

    node: str
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line in use of a customer in a city's network, and the SIM that it uses.

    Attributes:
        epoch: in which the city has the customer.
        is_live: whether the customer is the city's to change, and not on the way to another one.
    """

    node: str
    customer: str
    id: str
    msisdn: str
    iccid: str | None
    points: int
    epoch: int = 1
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose a customer is by HQ's directory.

    Attributes:
        owner: the city.
        epoch: in which it has the customer.
        moves: from whom to whom ownership went, in order.
    """

    owner: str
    epoch: int
    moves: tuple[tuple[str, str], ...]

    @property
    def torn(self) -> int:
        """How often ownership was moved by a city that did not have it."""
        pairs = zip(self.moves, self.moves[1:], strict=False)
        return sum(earlier[1] != later[0] for earlier, later in pairs)


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
class Call:
    """A node's record of what it asked of a port."""

    node: str
    id: str
    state: str
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a port has done.

    Attributes:
        key: of the call that it did it for.
        msisdn: of a switch of a SIM, the number.
        iccid: of a switch of a SIM, the card that the number answers on from then on.
    """

    key: str
    msisdn: str | None = None
    iccid: str | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """What the nodes and the ports say.

    Attributes:
        credits: the payment of each credit of a line's balance, and how much.
        directory: whose a customer is by HQ; without those who never moved.
        effects: in the order in which each port had them.
    """

    requests: tuple[Request, ...]
    cards: tuple[Card, ...]
    lines: tuple[Line, ...]
    payments: tuple[Payment, ...] = ()
    credits: tuple[tuple[str, int], ...] = ()
    ledgers: tuple[Ledger, ...] = ()
    directory: Mapping[str, Owned] = field(default_factory=dict)
    handsets: tuple[Handset, ...] = ()
    calls: tuple[Call, ...] = ()
    effects: tuple[Effect, ...] = ()
