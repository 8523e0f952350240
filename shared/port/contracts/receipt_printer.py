"""What prints receipts at the counters of halls."""

from typing import Annotated

from pydantic import Field

from shared.kernel.language import Text
from shared.port.contracts.values import Moment, Reference, UnitCode
from shared.port.declaration import Form, Operation, Port

PORT = Port(
    "receipt-printer",
    Text("Receipt printing", "回执打印"),
    Text("Prints receipts at the counter", "在柜台打印回执"),
)

Line = Annotated[str, Field(max_length=200)]


class Receipt(Form):
    """What the customer takes home; personal numbers are masked on it."""

    hall: UnitCode
    number: Reference
    title: Line
    lines: Annotated[tuple[Line, ...], Field(max_length=40)]


class Printed(Form):
    """It has been printed."""

    printed_at: Moment


PRINT = Operation(
    PORT, "/receipts", Receipt, Printed, Text("Print a receipt at a hall.", "在营业厅打印回执。")
)
OPERATIONS = (PRINT,)
