"""The supplier of blank cards: it is ordered from, it ships in consignments, and it says which cards are in them.

An order is shipped whole or in several consignments, numbered from 1. For each the node asks for its dispatch advice:
the numbers of the cards, before the box is at the hall. While the next one has not been shipped, the answer has none,
and the node asks again later, under another key.
"""

from typing import Annotated

from pydantic import Field

from shared.kernel.language import Text
from shared.port.contracts.values import Iccid, Imsi, Moment, Reference, UnitCode
from shared.port.declaration import Form, Operation, Port

PORT = Port(
    "card-supplier",
    Text("Card supplier", "卡片供应商"),
    Text("Delivers blank cards to halls", "向营业厅供应空白卡"),
)
MOST_ORDERED = 100_000
MOST_CONSIGNED = 1000
"""Cards in one consignment: its advice has to fit into an answer."""


class Order(Form):
    """Blank cards for a hall."""

    order: Reference
    hall: UnitCode
    cards: Annotated[int, Field(ge=1, le=MOST_ORDERED)]


class Confirmed(Form):
    """The supplier delivers."""

    reference: Reference
    confirmed_at: Moment


class AdviceRequest(Form):
    """Which consignment of which order the node wants to know of."""

    order: Reference
    consignment: Annotated[int, Field(ge=1)]


class BlankCard(Form):
    """One card."""

    iccid: Iccid
    imsi: Imsi


class Consignment(Form):
    """A box that is on its way to the hall."""

    reference: Reference
    shipped_at: Moment
    cards: Annotated[tuple[BlankCard, ...], Field(min_length=1, max_length=MOST_CONSIGNED)]


class DispatchAdvice(Form):
    """What was shipped: the consignment, if it has been; and whether no other comes after it."""

    consignment: Consignment | None
    complete: bool


class Cancellation(Form):
    """An order of which nothing more is to be shipped."""

    order: Reference


class Cancelled(Form):
    """The supplier ships no more of it than it had."""

    cancelled_at: Moment


ORDER = Operation(
    PORT, "/orders", Order, Confirmed, Text("Order blank cards for a hall.", "为营业厅订购空白卡。")
)
ADVISE = Operation(
    PORT,
    "/dispatch-advices",
    AdviceRequest,
    DispatchAdvice,
    Text("Say which cards a consignment of an order has.", "告知订单某批发货的卡号明细。"),
)
CANCEL = Operation(
    PORT,
    "/order-cancellations",
    Cancellation,
    Cancelled,
    Text("Ship no more of an order.", "订单余量停止发货。"),
)
OPERATIONS = (ORDER, ADVISE, CANCEL)
