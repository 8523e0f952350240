"""Notices: an origin learns what other nodes could not do with its messages.

A node that parks a message for good, or whose operators discard one, tells the message's origin why. The origin
keeps the notice for its own operators and does nothing more. A notice's id is derived from the message, the kind and
the node, so that telling twice is telling once. A notice that is itself parked or discarded causes none: two nodes
that do not understand each other would otherwise go on for ever.
"""

import contextlib
import re
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.delivery import Delivery
from shared.federation.models import Lane
from shared.federation.post import PostOffice
from shared.federation.problems import NodeRetired
from shared.federation.records import Notice, NoticeKind
from shared.kernel.ids import derived_id
from shared.kernel.listing import Listing, Sort

TYPES = {
    NoticeKind.PARKED: "guanxi.federation.parked.v1",
    NoticeKind.DISCARDED: "guanxi.federation.discarded.v1",
}
"""Message type by kind of notice; ``data`` has the ``message_id``, ``type`` and ``reason``."""
KINDS = {type_: kind for kind, type_ in TYPES.items()}

NOTICES = Listing(
    source="federation_notice n",
    key=Sort("n.id", "uuid"),
    columns={
        name: f"n.{name}" for name in ("id", "message_id", "type", "kind", "node", "reason", "at")
    },
    sorts={"at": Sort("n.at", "timestamptz")},
    filters={
        "message_id": "n.message_id = {}",
        "kind": "n.kind = {}",
        "node": "n.node = {}",
        "type": "n.type = {}",
    },
)
"""What other nodes told this one about its own messages."""

MOST_CHARACTERS = 1000
_UNSPEAKABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def speakable(reason: str) -> str:
    """Return a reason as the database can keep it and JSON can say it, whatever the error was made from."""
    return _UNSPEAKABLE.sub("�", reason[:MOST_CHARACTERS])


async def tell_origin(
    session: AsyncSession,
    post: PostOffice,
    *,
    origin: str,
    message_id: UUID,
    type_: str,
    kind: NoticeKind,
    reason: str,
    now: datetime,
) -> None:
    """Tell the origin of a message that arrived what became of it, unless the message is a notice itself."""
    if type_ in KINDS:
        return
    notice = TYPES[kind]
    with contextlib.suppress(NodeRetired):  # nobody there would read it
        await post.post(
            session,
            notice,
            origin,
            {"message_id": str(message_id), "type": type_, "reason": reason},
            lane=Lane.CONTROL,
            partition_key=f"notice/{message_id}",
            now=now,
            message_id=derived_id(message_id, notice, post.code, origin),
            causation_id=message_id,
            also_retired=True,
        )


async def handle(delivery: Delivery) -> None:
    """At the origin: keep what another node says of one of this node's messages."""
    message = delivery.message
    await delivery.session.execute(
        insert(Notice)
        .values(
            id=message.id,
            message_id=UUID(message.data["message_id"]),
            type=message.data["type"],
            kind=KINDS[message.type],
            node=message.source,
            reason=speakable(message.data["reason"]),
            at=message.time,
        )
        .on_conflict_do_nothing()
    )
