"""What operators do with parked messages: try again, or give up.

Both concern the whole row of messages with the same origin and partition key, since they are handled in order.
*Retrying* handles them again from the first on, as far as it goes. *Discarding* gives one message up for good; one
person proposes it with a reason and a second approves. The message stays in the inbox with who, when and why, its
origin is told, and those behind it are retried.

Any of it may be repeated: what is no longer parked stays as it is.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import inbox, notices
from shared.federation.models import InboxMessage, InboxState
from shared.federation.post import PostOffice
from shared.federation.problems import (
    DiscardNotProposed,
    MessageNotArrived,
    MessageNotParked,
)
from shared.federation.receiver import Receiver
from shared.federation.records import NoticeKind
from shared.kernel.second_person import SecondPersonNeeded

log = structlog.get_logger("federation.parking")


@dataclass(frozen=True, slots=True)
class Mended:
    """What a retry or discard came to.

    Attributes:
        arrival: the message that was asked for.
        state: what it is now.
        reason: why it is parked, if it is.
        settled: how many messages of its origin and partition key were handled or forwarded.
        parked: how many of them are still parked.
    """

    arrival: int
    state: InboxState
    reason: str | None
    settled: int
    parked: int


@dataclass(frozen=True, slots=True)
class Parking:
    """The parked messages of one node, in one transaction.

    Attributes:
        session: the transaction of the request or command.
        receiver: the node's own, which handles again.
        post: the node's post office, which tells origins.
        now: the present moment.
    """

    session: AsyncSession
    receiver: Receiver
    post: PostOffice
    now: datetime

    async def retry(self, arrival: int) -> Mended:
        """Handle a parked message again, with all those of its origin and partition key, in order of arrival.

        Raises:
            MessageNotArrived: if there is no such message.
        """
        return await self._retry_row_of(await self._found(arrival))

    async def propose_discard(self, arrival: int, reason: str, *, by: str) -> InboxMessage:
        """Propose to give a parked message up; a later proposal takes an earlier one's place.

        Raises:
            MessageNotArrived: if there is no such message.
            MessageNotParked: if it is not parked.
        """
        row = await self._parked(arrival)
        row.discard_reason, row.discard_proposed_by = reason, by
        row.discard_proposed_at = self.now
        await self.session.flush()  # the answer may be read by SQL in this transaction
        return row

    async def approve_discard(self, arrival: int, *, by: str) -> Mended:
        """Give a parked message up as proposed, tell its origin, and retry what waited behind it.

        Raises:
            MessageNotArrived: if there is no such message.
            MessageNotParked: if it is not parked.
            DiscardNotProposed: if nobody has proposed it.
            SecondPersonNeeded: if ``by`` is who proposed it.
        """
        row = await self._parked(arrival)
        if row.discard_proposed_by is None or row.discard_reason is None:
            raise DiscardNotProposed(arrival=arrival)
        if row.discard_proposed_by == by:
            raise SecondPersonNeeded(by=by)
        row.state, row.discarded_by, row.settled_at = InboxState.DISCARDED, by, self.now
        await self.session.flush()  # those behind it look whether it is parked
        await notices.tell_origin(
            self.session,
            self.post,
            origin=row.origin,
            message_id=row.message_id,
            type_=row.type,
            kind=NoticeKind.DISCARDED,
            reason=row.discard_reason,
            now=self.now,
        )
        log.warning(
            "message discarded",
            message_id=str(row.message_id),
            type=row.type,
            origin=row.origin,
            proposed_by=row.discard_proposed_by,
            approved_by=by,
            reason=row.discard_reason,
        )
        return await self._retry_row_of(row)

    async def _retry_row_of(self, row: InboxMessage) -> Mended:
        settled = await self.receiver.retry_parked(
            self.session, row.origin, row.partition_key, now=self.now
        )
        left = await inbox.parked(self.session, row.origin, row.partition_key)
        after = await self._found(row.arrival)
        return Mended(
            arrival=after.arrival,
            state=InboxState(after.state),
            reason=after.reason if after.state == InboxState.PARKED else None,
            settled=settled,
            parked=len(left),
        )

    async def _found(self, arrival: int) -> InboxMessage:
        row = await inbox.arrived(self.session, arrival)
        if row is None:
            raise MessageNotArrived(arrival=arrival)
        return row

    async def _parked(self, arrival: int) -> InboxMessage:
        row = await self._found(arrival)
        # All of its row are locked, the first one first, as everybody does: two operators never lock each other out.
        await inbox.parked(self.session, row.origin, row.partition_key)
        row = await self._found(arrival)
        if row.state != InboxState.PARKED:
            raise MessageNotParked(arrival=arrival, state=row.state)
        return row
