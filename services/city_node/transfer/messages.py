"""What the two ends of a transfer and HQ say to one another."""

from services.city_node.service_request.messages import read
from services.city_node.service_request.schemas import AnsweredNo, Told
from services.city_node.transfer import directory, home, kind, offering, recall, visited
from services.city_node.transfer.schemas import Asked, Chunk, NotTaken, Offered
from shared.capability import MessageHandler, NodeContext
from shared.federation.delivery import Delivery
from shared.kernel.language import Text
from shared.ownership import MOVED, NOT_MOVED, TOLD


async def on_asked(context: NodeContext, delivery: Delivery) -> None:
    """At the old home: another city asks for a customer."""
    await offering.hear_asked(context, delivery, read(Asked, delivery))


async def on_prepared(context: NodeContext, delivery: Delivery) -> None:
    """At the old home: the other city has the record."""
    await home.hear_prepared(context, delivery, read(Told, delivery))


async def on_not_taken(_: NodeContext, delivery: Delivery) -> None:
    """At the old home: the other city cannot take the record."""
    await home.hear_not_taken(delivery, read(NotTaken, delivery))


async def on_cancelled(_: NodeContext, delivery: Delivery) -> None:
    """At the old home: the other city gave up."""
    await home.hear_cancelled(delivery, read(Told, delivery))


async def on_expired(_: NodeContext, delivery: Delivery) -> None:
    """At the old home: the other city's time is over."""
    await home.hear_expired(delivery, read(Told, delivery))


async def on_offered(context: NodeContext, delivery: Delivery) -> None:
    """At the new home: the record is on its way."""
    await visited.hear_offered(context, delivery, read(Offered, delivery))


async def on_record(context: NodeContext, delivery: Delivery) -> None:
    """At the new home: a piece of the record."""
    await visited.hear_chunk(context, delivery, read(Chunk, delivery))


async def on_refused(context: NodeContext, delivery: Delivery) -> None:
    """At the new home: the customer does not come."""
    await visited.hear_refused(context, delivery, read(AnsweredNo, delivery))


async def on_inquired(context: NodeContext, delivery: Delivery) -> None:
    """At the new home: the old one asks how things are."""
    await visited.hear_inquired(context, delivery, read(Told, delivery))


HANDLERS = (
    MessageHandler(
        kind.ASKED,
        Text("A city asks for the transfer of a customer", "受理地申请客户转网"),
        on_asked,
        recovered=recall.recall_asked,
    ),
    MessageHandler(
        kind.OFFERED,
        Text(
            "The home city agrees: the record is frozen and on its way",
            "归属地同意转网，档案已冻结并开始传送",
        ),
        on_offered,
    ),
    MessageHandler(
        kind.RECORD,
        Text("A piece of a customer's record, sealed", "客户档案的一段（密封）"),
        on_record,
    ),
    MessageHandler(
        kind.REFUSED,
        Text("The customer does not move, and why", "拒绝转网并说明原因"),
        on_refused,
    ),
    MessageHandler(
        kind.PREPARED,
        Text("The new home has the whole record and can take it", "受理地已备妥档案"),
        on_prepared,
        recovered=recall.recall_prepared,
    ),
    MessageHandler(
        kind.NOT_TAKEN,
        Text("The new home cannot take the record, and why", "受理地无法接收档案并说明原因"),
        on_not_taken,
        recovered=recall.recall_not_taken,
    ),
    MessageHandler(
        kind.CANCELLED,
        Text("The new home gave the transfer up", "受理地取消转网"),
        on_cancelled,
        recovered=recall.recall_cancelled,
    ),
    MessageHandler(
        kind.EXPIRED_AT_VISITED,
        Text("The new home's time for the transfer is over", "受理地转网办理超时"),
        on_expired,
        recovered=recall.recall_expired,
    ),
    MessageHandler(
        kind.INQUIRED,
        Text(
            "The old home has waited for long and asks how things are",
            "归属地久候未果，询问办理情况",
        ),
        on_inquired,
    ),
    MessageHandler(
        MOVED,
        Text("HQ tells that ownership of a customer has moved", "总部告知客户归属已移交"),
        directory.hear_moved,
    ),
    MessageHandler(
        NOT_MOVED,
        Text(
            "HQ tells that it did not move ownership, and whose the customer is",
            "总部告知未移交归属及客户当前归属",
        ),
        directory.hear_not_moved,
    ),
    MessageHandler(
        TOLD,
        Text("HQ tells whose a customer is", "总部告知客户归属"),
        directory.hear_told,
    ),
)
