"""Posting a message: the one way business code speaks to another node."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import outbox, repository, tree
from shared.federation.delivery import Delivery, Hop
from shared.federation.envelope import Message, answer_id, pack
from shared.federation.keyring import KeyRing
from shared.federation.keys import NodeKey, PublicKey, seal, sealed_for, unseal
from shared.federation.models import Lane
from shared.federation.problems import NodeRetired
from shared.kernel import tracing
from shared.kernel.ids import new_id


class DestinationUnknown(Exception):
    """The registry has no such node, so nothing can be sealed for it."""


class PostOffice:
    """Posts this node's messages and seals what only the addressee may read.

    Args:
        code: the node's own division code.
        keys: its keys.
    """

    def __init__(self, code: str, keys: KeyRing) -> None:
        self.code = code
        self.keys = keys

    @property
    def key(self) -> NodeKey:
        """The key that signs at this moment."""
        return self.keys.current

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
        also_retired: bool = False,
    ) -> UUID:
        """Post a message to ``destination`` in ``session``'s transaction: it leaves if and only if that commits.

        Args:
            session: the transaction of the change that the message announces.
            type_: ``guanxi.<noun>.<what happened>.v<n>``.
            destination: division code of the node that shall handle it.
            data: the payload, JSON.
            lane: how urgent it is.
            partition_key: messages of one origin and lane with the same key are handled in the order they were posted.
            now: the present moment.
            subject: what it is about (CloudEvents ``subject``).
            message_id: its id, for a message that must come out the same when posted again; new without it.
            correlation_id: the request or process it belongs to.
            causation_id: the message that led to it.
            deadline: when it has lost its use.
            traceparent: W3C trace context to go on under; without it that of the span under way.
            also_retired: whether it may go to a retired node as long as that drains.

        Returns:
            The message's id.

        Raises:
            NodeRetired: if the destination is retired (409).
        """
        if not also_retired:
            await tree.require_not_retired(session, destination)
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
            traceparent=traceparent or tracing.current_traceparent(),
            data=dict(data),
        )
        packed = pack(message, self.key)
        posted = outbox.Posted(message, packed, lane, (Hop(self.code, now),))
        await outbox.add(session, [posted], here=self.code)
        return message.id

    async def answer(
        self,
        delivery: Delivery,
        type_: str,
        data: Mapping[str, Any],
        *,
        lane: Lane,
        partition_key: str | None = None,
        deadline: datetime | None = None,
    ) -> UUID:
        """Answer ``delivery``'s origin. The id is derived from the cause: answering twice is answering once.

        An origin that is retired is answered as long as it drains; after that nobody there would read it.
        """
        cause = delivery.message
        message_id = answer_id(cause.id, type_)
        with contextlib.suppress(NodeRetired):
            await self.post(
                delivery.session,
                type_,
                cause.source,
                data,
                lane=lane,
                partition_key=partition_key or cause.partitionkey,
                now=delivery.now,
                subject=cause.subject,
                message_id=message_id,
                correlation_id=cause.correlationid or cause.id,
                causation_id=cause.id,
                deadline=deadline,
                traceparent=tracing.traceparent_within(cause.traceparent),
                also_retired=True,
            )
        return message_id

    async def has_answered(self, delivery: Delivery, type_: str) -> bool:
        """Tell whether this node has answered ``delivery`` by that type before.

        It has if its database was restored from a backup, and what it heard after that comes again.
        """
        return await outbox.has_posted(delivery.session, answer_id(delivery.message.id, type_))

    async def answer_given(self, delivery: Delivery, type_: str) -> Mapping[str, Any] | None:
        """Return what this node has answered ``delivery`` by that type before, as :meth:`has_answered` knows it."""
        given = await outbox.posted(delivery.session, answer_id(delivery.message.id, type_))
        return None if given is None else given.data

    async def seal_for(
        self, session: AsyncSession, destination: str, plaintext: bytes, *, context: str
    ) -> str:
        """Return ``plaintext`` as only ``destination`` can read it.

        Raises:
            DestinationUnknown: if the registry has not (yet) heard of it.
        """
        key = await repository.public_key_of(session, destination)
        if key is None:
            raise DestinationUnknown(f"The registry of {self.code} knows no node {destination}.")
        return seal(PublicKey.from_text(key), plaintext, context=context)

    def seal_for_self(self, plaintext: bytes, *, context: str) -> str:
        """Return ``plaintext`` as only this node can read it, to find it again in its own messages."""
        return seal(self.key.public, plaintext, context=context)

    def open_sealed(self, sealed: str, *, context: str) -> bytes:
        """Return what another node sealed for this one.

        Raises:
            shared.federation.keys.SealError: if it was not for this node or this context.
        """
        key = self.keys.of(sealed_for(sealed)) or self.key
        return unseal(key, sealed, context=context)
