"""Messages that came down to a node for a city that has moved away meanwhile.

They cannot simply go up again: where they came from they have been seen, and this node may not speak for their origin.
So it puts each, whole, into a message of its own to the city, which goes the new way. The city takes the inner message
in as if it had come by itself: its origin's signature is checked, and its origin and id tell whether it was seen.
"""

from datetime import datetime

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository
from shared.federation.delivery import Delivery, MessageRefused, hops_to_json
from shared.federation.envelope import unpack
from shared.federation.exchange import WireMessage
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.federation.receiver import Receiver
from shared.kernel.ids import derived_id

REDIRECTED = "guanxi.federation.redirected.v1"
LONGEST_KEY = 200


async def redirect_waiting(session: AsyncSession, post: PostOffice, *, now: datetime) -> int:
    """Send what waits here because it came from where it would have to go; returns how many that were."""
    parent = await repository.parent(session)
    if parent is None:
        return 0
    rows = await repository.come_from(session, parent.code, here=post.code)
    for row in rows:
        inner = unpack(row.envelope)
        await post.post(
            session,
            REDIRECTED,
            row.destination,
            {
                "envelope": row.envelope.decode(),
                "signature": row.signature,
                "hops": row.hops,
                "lane": row.lane,
            },
            lane=Lane(row.lane),
            partition_key=f"{inner.source}/{inner.partitionkey}"[:LONGEST_KEY],
            now=now,
            message_id=derived_id(row.message_id, REDIRECTED, post.code),
            causation_id=row.message_id,
            also_retired=True,
        )
        await repository.forget_message(session, row.position)
    return len(rows)


async def handle(receiver: Receiver, delivery: Delivery) -> None:
    """At the city: take in what its former parent had for it.

    Raises:
        MessageRefused: if what is inside is for another node.
    """
    data = delivery.message.data
    item = WireMessage(
        envelope=data["envelope"],
        signature=data["signature"],
        hops=[*data["hops"], *orjson.loads(hops_to_json(delivery.hops[1:-1]))],
    )
    destination = unpack(item.envelope.encode()).destination
    if destination != delivery.message.destination:
        raise MessageRefused(f"The message inside is for {destination}.")
    await receiver.take_in(delivery.session, item, Lane(data["lane"]), now=delivery.now)
