"""What neighbours say to each other about a day's books; :mod:`shared.clearing.statement` says when."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.capability import MessageHandler, NodeContext
from shared.clearing import statement
from shared.clearing.wire import (
    COMPARED,
    ITEMS,
    ITEMS_WANTED,
    STATEMENT,
    Compared,
    Items,
    ItemsWanted,
    Statement,
)
from shared.federation import repository as federation
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Relation
from shared.kernel.language import Text

Payload = TypeVar("Payload", bound=BaseModel)


async def on_statement(context: NodeContext, delivery: Delivery) -> None:
    """At a parent: a child has said what it has booked."""
    child = await _neighbour(delivery, Relation.CHILD)
    said = _read(Statement, delivery)
    await statement.hear_statement(delivery.session, context.post, child, said, now=delivery.now)


async def on_items_wanted(context: NodeContext, delivery: Delivery) -> None:
    """At a child: the parent has something otherwise."""
    parent = await _neighbour(delivery, Relation.PARENT)
    asked = _read(ItemsWanted, delivery)
    await statement.hear_items_wanted(
        delivery.session, context.post, parent, asked, now=delivery.now
    )


async def on_items(context: NodeContext, delivery: Delivery) -> None:
    """At a parent: the child's items have come."""
    child = await _neighbour(delivery, Relation.CHILD)
    said = _read(Items, delivery)
    await statement.hear_items(delivery.session, context.post, child, said, now=delivery.now)


async def on_compared(_: NodeContext, delivery: Delivery) -> None:
    """At a child: the parent has compared."""
    parent = await _neighbour(delivery, Relation.PARENT)
    await statement.hear_compared(
        delivery.session, parent, _read(Compared, delivery), now=delivery.now
    )


async def _neighbour(delivery: Delivery, relation: Relation) -> str:
    """Return the sender, who must be this node's parent, or a child of it: nobody states another's books."""
    source = delivery.message.source
    peers = await federation.peers(delivery.session, relation)
    if source not in {peer.code for peer in peers}:
        raise MessageRefused(
            f"{source} is no {relation.value} of this node: it has no books with it."
        )
    return source


def _read(form: type[Payload], delivery: Delivery) -> Payload:
    try:
        return form.model_validate(delivery.message.data)
    except ValidationError as error:
        places = "; ".join(
            f"{'/'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_input=False)[:5]
        )
        raise MessageRefused(
            f"The data of {delivery.message.type} is not as that type promises: {places}."
        ) from None


HANDLERS = (
    MessageHandler(
        STATEMENT,
        Text(
            "A child tells its parent what it has booked with it on a day",
            "下级向上级报送双方某日的清算账",
        ),
        on_statement,
    ),
    MessageHandler(
        ITEMS_WANTED,
        Text(
            "A parent asks a child for the items of a day that it has otherwise",
            "上级向下级索取某日账目不一致部分的明细",
        ),
        on_items_wanted,
    ),
    MessageHandler(
        ITEMS,
        Text("A child sends its parent items of a day", "下级向上级报送某日明细"),
        on_items,
    ),
    MessageHandler(
        COMPARED,
        Text(
            "A parent tells a child whether a day agrees, and what does not",
            "上级告知下级某日是否一致及差异明细",
        ),
        on_compared,
    ),
)
