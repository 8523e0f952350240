"""What provinces and HQ do with the answers that pass them: they book who owes whom for it."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.capability import Capability, MessageHandler, NodeContext
from shared.clearing.ledger import Item, book_in_between
from shared.clearing.models import ItemKind
from shared.clearing.schemas import CREDITED, RECORDED, REVERSED, Borne, Cleared
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.language import Text

Said = TypeVar("Said", bound=BaseModel)


async def on_credited(context: NodeContext, delivery: Delivery) -> None:
    """Book a payment that its home city has credited."""
    said = _read(context, delivery, Cleared)
    await _book(context, delivery, ItemKind.PAYMENT, said, said.amount_fen)


async def on_reversed(context: NodeContext, delivery: Delivery) -> None:
    """Book a payment that its home city has taken back."""
    said = _read(context, delivery, Cleared)
    await _book(context, delivery, ItemKind.REVERSAL, said, said.amount_fen)


async def on_recorded(context: NodeContext, delivery: Delivery) -> None:
    """Book what the home city bears of a repair."""
    said = _read(context, delivery, Borne)
    await _book(context, delivery, ItemKind.REPAIR, said, said.home_fen)


def _read(context: NodeContext, delivery: Delivery, form: type[Said]) -> Said:
    message = delivery.message
    if not delivery.transit:
        raise MessageRefused(
            f"{context.settings.code} has no till and no workshop that {message.type} could be for."
        )
    try:
        return form.model_validate(message.data)
    except ValidationError as error:
        places = "; ".join(
            f"{'/'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_input=False)
        )
        raise MessageRefused(
            f"What {message.source} says by {message.type} cannot be booked: {places}."
        ) from None


async def _book(
    context: NodeContext, delivery: Delivery, kind: ItemKind, said: Cleared | Borne, fen: int
) -> None:
    message = delivery.message
    item = Item(said.request_id, kind, fen, said.business_day, message.source, message.destination)
    await book_in_between(delivery, item, here=context.settings.code)


capability = Capability(
    name="clearing-transit",
    summary=Text(
        "Booking the payments and repairs between other nodes whose answers pass",
        "为途经的缴费与维修应答记账",
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
        MessageHandler(
            RECORDED,
            Text(
                "The home city has recorded a repair, and what it bears; every node on the way books it",
                "归属地已登记维修及承担金额，沿途节点记账",
            ),
            on_recorded,
            transit=True,
        ),
    ),
)
