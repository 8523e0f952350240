"""The supplier of blank cards."""

from typing import Annotated

from pydantic import Field

from shared.kernel.language import Text
from shared.port.contracts.values import Moment, Reference, UnitCode
from shared.port.declaration import Form, Operation, Port

PORT = Port(
    "card-supplier",
    Text("Card supplier", "卡片供应商"),
    Text("Delivers blank cards to halls", "向营业厅供应空白卡"),
)


class Order(Form):
    """Blank cards for a hall."""

    hall: UnitCode
    cards: Annotated[int, Field(ge=1, le=100_000)]


class Confirmed(Form):
    """The supplier delivers."""

    reference: Reference
    confirmed_at: Moment


ORDER = Operation(
    PORT, "/orders", Order, Confirmed, Text("Order blank cards for a hall.", "为营业厅订购空白卡。")
)
OPERATIONS = (ORDER,)
