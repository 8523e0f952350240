"""What stands against asking for a transfer."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class CustomerKnownHere(Problem):
    """Somebody of this city is registered under the document that was shown."""

    status = 409
    title = Text("Customer known here", "客户已在本地建档")
    sentence = Text(
        "Somebody is registered under this document here already. Settle that profile first: a city has one customer for each document.",
        "本地已有以该证件登记的客户，请先处理该档案：同一证件在一个地市只能登记一位客户。",
    )


class NumberInUseHere(Problem):
    """The number that the line is to have is on another line here."""

    status = 409
    title = Text("Number in use here", "号码在本地已被使用")
    sentence = Text(
        "{msisdn} is on a live line of this city. Choose another number, or let the customer keep the present one.",
        "号码 {msisdn} 在本地正在使用，请另选号码或保留原号码。",
    )
