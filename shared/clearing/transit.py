"""What provinces and HQ do with the answers that pass them: they book who owes whom for it."""

from pydantic import ValidationError

from shared.capability import Capability, MessageHandler, NodeContext
from shared.clearing.ledger import Item, book_in_between
from shared.clearing.models import ItemKind
from shared.clearing.schemas import CREDITED, REVERSED, Cleared
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.language import Text


async def on_credited(context: NodeContext, delivery: Delivery) -> None:
    """Book a payment that its home city has credited."""
    await _book(context, delivery, ItemKind.PAYMENT)


async def on_reversed(context: NodeContext, delivery: Delivery) -> None:
    """Book a payment that its home city has taken back."""
    await _book(context, delivery, ItemKind.REVERSAL)


async def _book(context: NodeContext, delivery: Delivery, kind: ItemKind) -> None:
    message = delivery.message
    if not delivery.transit:
        raise MessageRefused(
            f"{context.settings.code} has no till that {message.type} could be for."
        )
    try:
        cleared = Cleared.model_validate(message.data)
    except ValidationError as error:
        places = "; ".join(
            f"{'/'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_input=False)
        )
        raise MessageRefused(f"What {message.source} says of a payment cannot be booked: {places}.") from None  # fmt: skip
    item = Item(
        cleared.request_id,
        kind,
        cleared.amount_fen,
        cleared.business_day,
        message.source,
        message.destination,
    )
    await book_in_between(delivery, item, here=context.settings.code)


capability = Capability(
    name="clearing-transit",
    summary=Text(
        "Booking the payments between other nodes whose answers pass", "为途经的缴费应答记账"
    ),
    messages=(
        MessageHandler(
            CREDITED,
            Text(
                "The home city has credited a payment; every node on the way books it",
                "归属地已入账，沿途节点记账",
            ),
            on_credited,
            transit=True,
        ),
        MessageHandler(
            REVERSED,
            Text(
                "The home city has taken a payment back; every node on the way books it",
                "归属地已冲正，沿途节点记账",
            ),
            on_reversed,
            transit=True,
        ),
    ),
)
