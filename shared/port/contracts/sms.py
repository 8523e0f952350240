"""The gateway for short messages to customers."""

from typing import Annotated

from pydantic import Field

from shared.kernel.language import Text
from shared.port.contracts.values import Moment, Msisdn, Reference
from shared.port.declaration import Form, Operation, Port

PORT = Port(
    "sms",
    Text("SMS gateway", "短信网关"),
    Text("Sends customers short messages", "向客户发送短信"),
)


class ShortMessage(Form):
    """One message to one number."""

    to: Msisdn
    text: Annotated[str, Field(min_length=1, max_length=500)]


class Accepted(Form):
    """The gateway has the message and delivers it."""

    reference: Reference
    accepted_at: Moment


SEND = Operation(
    PORT, "/messages", ShortMessage, Accepted, Text("Send a short message.", "发送短信。")
)
OPERATIONS = (SEND,)
