"""A node that knows nothing but the messages of a lane benchmark; served by ``uvicorn --factory``.

``KEPT`` is kept and has no effect. ``EFFECTED`` is noticed: whoever listens on the channel ``EFFECT`` of the node's
database hears of it when its transaction commits. ``ASKED`` is answered by ``ANSWERED``, noticed at its origin.
"""

import os
import random

from fastapi import FastAPI

from shared.capability import Capability, MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.federation.models import Lane
from shared.kernel import logging
from shared.kernel.database import notify
from shared.kernel.language import Text
from shared.kernel.settings import load_settings
from shared.node.app import Node, create_node
from shared.node.tiers import composition

KEPT, EFFECTED = "bench.kept.v1", "bench.effected.v1"
ASKED, ANSWERED = "bench.asked.v1", "bench.answered.v1"
EFFECT = "bench_effect"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 "


def payload(dice: random.Random) -> dict[str, object]:
    """Return the data of a message whose envelope has about 1 KB and is hard to compress, as names and numbers are."""
    return {
        "customer": f"{dice.getrandbits(128):032x}",
        "msisdn": f"138{dice.randrange(10**8):08d}",
        "amounts_fen": [dice.randrange(10**6) for _ in range(20)],
        "note": "".join(dice.choices(_LETTERS, k=380)),
    }


async def _keep(_context: NodeContext, _delivery: Delivery) -> None:
    """Do nothing: what is measured is the way here."""


async def _notice(_: NodeContext, delivery: Delivery) -> None:
    message = delivery.message
    await notify(delivery.session, EFFECT, str(message.correlationid or message.id))


async def _answer(context: NodeContext, delivery: Delivery) -> None:
    await context.post.answer(delivery, ANSWERED, delivery.message.data, lane=Lane.REQUEST)


CAPABILITY = Capability(
    name="bench",
    summary=Text("Messages to measure with", "用于测量的消息"),
    messages=(
        MessageHandler(KEPT, Text("kept", "留存"), _keep),
        MessageHandler(EFFECTED, Text("noticed", "通知"), _notice),
        MessageHandler(ASKED, Text("answered", "应答"), _answer),
        MessageHandler(ANSWERED, Text("noticed", "通知"), _notice),
    ),
)


def application() -> FastAPI:
    """Make the node that the environment describes."""
    settings = load_settings(code=os.environ["GUANXI_NODE"])
    logging.configure(settings)
    return create_node(settings.tier, [CAPABILITY], settings).app


def whole_node() -> FastAPI:
    """Make the node that the environment describes, with all that a node of its tier can do."""
    settings = load_settings(code=os.environ["GUANXI_NODE"])
    logging.configure(settings)
    node: Node = composition(settings.tier)(settings)
    return node.app
