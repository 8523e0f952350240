"""The billing system: what is credited to accounts."""

from shared.kernel.language import Text
from shared.port.contracts.values import Fen, Moment, Msisdn, Reference
from shared.port.declaration import Form, Operation, Port

PORT = Port(
    "billing",
    Text("Billing system", "计费系统"),
    Text("Credits payments to accounts, and takes credits back", "缴费入账与冲正"),
)


class Credit(Form):
    """Money that was taken for the account of a line."""

    msisdn: Msisdn
    amount_fen: Fen
    payment: Reference
    taken_at: Moment


class CreditReversal(Form):
    """A payment whose credit is taken back whole."""

    payment: Reference


class Booked(Form):
    """The account has been changed."""

    reference: Reference
    booked_at: Moment


CREDIT = Operation(
    PORT, "/credits", Credit, Booked, Text("Credit a payment to an account.", "缴费入账。")
)
REVERSE = Operation(
    PORT,
    "/credit-reversals",
    CreditReversal,
    Booked,
    Text("Take the credit of a payment back.", "冲正已入账缴费。"),
)
OPERATIONS = (CREDIT, REVERSE)
