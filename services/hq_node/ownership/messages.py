"""What cities ask the directory."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from services.hq_node.ownership import service
from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.language import Text
from shared.ownership import INQUIRED, MOVE_ASKED, MOVED, Inquiry, MoveAsked, Word

Payload = TypeVar("Payload", bound=BaseModel)


def _read(form: type[Payload], delivery: Delivery) -> Payload:
    try:
        return form.model_validate(delivery.message.data)
    except ValidationError as error:
        places = "; ".join(
            f"{'/'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_input=False)
        )
        raise MessageRefused(
            f"The data of {delivery.message.type} is not as that type promises: {places}."
        ) from None


async def on_move_asked(context: NodeContext, delivery: Delivery) -> None:
    """Move ownership, if it is the asker's."""
    await service.move(context, delivery, _read(MoveAsked, delivery))


async def on_inquired(context: NodeContext, delivery: Delivery) -> None:
    """Say whose a customer is."""
    await service.tell(context, delivery, _read(Inquiry, delivery))


async def on_moved(_: NodeContext, delivery: Delivery) -> None:
    """Refuse a move that somebody else tells of: the directory is here."""
    raise MessageRefused(f"Ownership is moved here, not by {delivery.message.source}.")


async def recall_moved(_: NodeContext, delivery: Delivery) -> None:
    """At HQ restored from a backup: enter a move again that it had told of."""
    await service.know_again(_read(Word, delivery), delivery)


HANDLERS = (
    MessageHandler(
        MOVE_ASKED,
        Text(
            "The owner of a customer asks HQ to move ownership to another city",
            "归属地请总部将客户归属移交其他地市",
        ),
        on_move_asked,
    ),
    MessageHandler(
        INQUIRED,
        Text("A city asks HQ whose a customer is", "地市向总部查询客户归属"),
        on_inquired,
    ),
    MessageHandler(
        MOVED,
        Text("HQ tells that ownership of a customer has moved", "总部告知客户归属已移交"),
        on_moved,
        recovered=recall_moved,
    ),
)
