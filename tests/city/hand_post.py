"""A post office whose messages a test carries by hand.

A message leaves when the transaction that posted it commits, and waits in its lane until the test delivers it, once or
more often. Envelopes and sealing are real.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.delivery import Delivery
from shared.federation.envelope import Message, answer_id, pack, unpack, verify
from shared.federation.keys import NodeKey, PublicKey, seal, unseal
from shared.federation.models import Lane
from shared.federation.post import DestinationUnknown
from shared.kernel.ids import new_id

Lanes = defaultdict[tuple[str, str], list[Message]]
"""What has left and not arrived, by origin and destination, in order."""


class HandPost:
    """Takes the place of :class:`~shared.federation.post.PostOffice`."""

    def __init__(self, code: str, keys: dict[str, PublicKey], lanes: Lanes) -> None:
        self.code = code
        self.key = NodeKey.generate()
        self._keys = keys
        self._lanes = lanes
        self.answered: dict[UUID, Mapping[str, Any]] = {}
        """What this post office has answered, whatever the database remembers."""
        keys[code] = self.key.public

    async def post(
        self,
        session: AsyncSession,
        type_: str,
        destination: str,
        data: Mapping[str, Any],
        *,
        lane: Lane,
        partition_key: str,
        now: datetime,
        subject: str | None = None,
        message_id: UUID | None = None,
        correlation_id: UUID | None = None,
        causation_id: UUID | None = None,
        deadline: datetime | None = None,
        traceparent: str | None = None,
    ) -> UUID:
        assert lane is Lane.REQUEST
        message = Message(
            id=message_id or new_id(),
            source=self.code,
            type=type_,
            time=now,
            subject=subject,
            destination=destination,
            partitionkey=partition_key,
            correlationid=correlation_id,
            causationid=causation_id,
            deadline=deadline,
            traceparent=traceparent,
            data=dict(data),
        )
        packed = pack(message, self.key)
        verify(packed.envelope, packed.signature, [self._keys[self.code]], self.code)
        arriving = unpack(packed.envelope)
        waiting = self._lanes[self.code, destination]
        event.listen(
            session.sync_session, "after_commit", lambda _: waiting.append(arriving), once=True
        )
        return message.id

    async def answer(
        self,
        delivery: Delivery,
        type_: str,
        data: Mapping[str, Any],
        *,
        lane: Lane,
        deadline: datetime | None = None,
    ) -> UUID:
        cause = delivery.message
        self.answered[answer_id(cause.id, type_)] = data
        return await self.post(
            delivery.session,
            type_,
            cause.source,
            data,
            lane=lane,
            partition_key=cause.partitionkey,
            now=delivery.now,
            subject=cause.subject,
            message_id=answer_id(cause.id, type_),
            correlation_id=cause.correlationid,
            causation_id=cause.id,
            deadline=deadline,
        )

    async def has_answered(self, delivery: Delivery, type_: str) -> bool:
        return answer_id(delivery.message.id, type_) in self.answered

    async def answer_given(self, delivery: Delivery, type_: str) -> Mapping[str, Any] | None:
        return self.answered.get(answer_id(delivery.message.id, type_))

    async def seal_for(
        self, _: AsyncSession, destination: str, plaintext: bytes, *, context: str
    ) -> str:
        if destination not in self._keys:
            raise DestinationUnknown(destination)
        return seal(self._keys[destination], plaintext, context=context)

    def seal_for_self(self, plaintext: bytes, *, context: str) -> str:
        return seal(self.key.public, plaintext, context=context)

    def open_sealed(self, sealed: str, *, context: str) -> bytes:
        return unseal(self.key, sealed, context=context)
