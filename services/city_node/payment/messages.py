"""What the two ends of a payment say to each other. Its answers are read by every node that they pass."""

from services.city_node.payment import home, kind, recall, reversal_home, reversal_visited, visited
from services.city_node.payment.schemas import (
    Credited,
    GivenBack,
    ReversalAsked,
    Reversed,
    Taken,
)
from services.city_node.service_request.messages import read
from services.city_node.service_request.schemas import AnsweredNo
from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.language import Text


async def on_taken(context: NodeContext, delivery: Delivery) -> None:
    """At home: a till has money for a number of this city."""
    await home.hear_taken(context, delivery, read(Taken, delivery))


async def on_credited(_: NodeContext, delivery: Delivery) -> None:
    """At the visited city: home has credited it."""
    await visited.hear_credited(delivery, read(Credited, delivery))


async def on_refused(context: NodeContext, delivery: Delivery) -> None:
    """At the visited city: home has not credited it."""
    await visited.hear_refused(context, delivery, read(AnsweredNo, delivery))


async def on_given_back(_: NodeContext, delivery: Delivery) -> None:
    """At home: the cash of a refused payment went back over the counter."""
    await home.hear_given_back(delivery, read(GivenBack, delivery), kind.PAYMENT)


async def on_reversal_asked(context: NodeContext, delivery: Delivery) -> None:
    """At home: a payment is to be taken back."""
    await reversal_home.hear_asked(context, delivery, read(ReversalAsked, delivery))


async def on_reversed(_: NodeContext, delivery: Delivery) -> None:
    """At the visited city: home has taken it back."""
    await reversal_visited.hear_reversed(delivery, read(Reversed, delivery))


async def on_reversal_refused(_: NodeContext, delivery: Delivery) -> None:
    """At the visited city: home has not taken it back."""
    await reversal_visited.hear_refused(delivery, read(AnsweredNo, delivery))


async def on_reversal_given_back(_: NodeContext, delivery: Delivery) -> None:
    """At home: the cash of a reversed payment went back over the counter."""
    await home.hear_given_back(delivery, read(GivenBack, delivery), kind.REVERSAL)


HANDLERS = (
    MessageHandler(
        kind.TAKEN,
        Text("A till has money for a number of the home city", "受理地已收款，请归属地入账"),
        on_taken,
        recovered=recall.recall_taken,
    ),
    MessageHandler(
        kind.CREDITED,
        Text(
            "The home city has credited a payment; every node on the way books it",
            "归属地已入账，沿途节点记账",
        ),
        on_credited,
    ),
    MessageHandler(
        kind.REFUSED,
        Text("The home city has not credited a payment, with a reason", "归属地拒绝入账并说明原因"),
        on_refused,
    ),
    MessageHandler(
        kind.GIVEN_BACK,
        Text("The money of a refused payment was given back", "被拒款项已退还"),
        on_given_back,
        recovered=recall.recall_given_back,
    ),
    MessageHandler(
        kind.REVERSAL_ASKED,
        Text("The visited city asks for a payment to be taken back", "受理地申请冲正"),
        on_reversal_asked,
        recovered=recall.recall_reversal,
    ),
    MessageHandler(
        kind.REVERSED,
        Text(
            "The home city has taken a payment back; every node on the way books it",
            "归属地已冲正，沿途节点记账",
        ),
        on_reversed,
    ),
    MessageHandler(
        kind.REVERSAL_REFUSED,
        Text(
            "The home city has not taken a payment back, with a reason", "归属地拒绝冲正并说明原因"
        ),
        on_reversal_refused,
    ),
    MessageHandler(
        kind.REVERSAL_GIVEN_BACK,
        Text("The money of a reversed payment was given back", "冲正款项已退还"),
        on_reversal_given_back,
        recovered=recall.recall_reversal_given_back,
    ),
)
