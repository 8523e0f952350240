"""What a node does with messages that it believes: handle them, hand them on, or both."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation.arrival import Arrival
from shared.federation.delivery import (
    Delivery,
    Handlers,
    Hop,
    MessageRefused,
    Route,
    hops_from_json,
)
from shared.federation.envelope import Packed, unpack
from shared.federation.models import Lane
from shared.federation.outbox import Posted
from shared.federation.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Handling:
    """The handlers of a node, by type of message.

    Attributes:
        here: the node's code.
        handlers: as they are registered.
        telemetry: where each message gets a span of its own.
    """

    here: str
    handlers: Handlers
    telemetry: Telemetry

    def route(self, type_: str, destination: str) -> Route | None:
        """Return what handles messages of a type at this node, if anything does."""
        route = self.handlers.get(type_)
        return route if route and (route.transit or destination == self.here) else None

    async def act_on_all(
        self, session: AsyncSession, rows: Sequence[Arrival], *, now: datetime
    ) -> list[Posted]:
        """Handle verified messages in order, and return those that are to be forwarded."""
        forwarded: list[Posted] = []
        for route, run in groupby(rows, lambda row: self.route(row.type, row.destination)):
            if route is not None and (handle := route.handle_together) is not None:
                forwarded += await self._act_together(session, handle, list(run), now=now)
                continue
            for row in run:
                with self.telemetry.handling(row):
                    posted = await self.act(session, row, now=now)
                if posted is not None:
                    forwarded.append(posted)
        return forwarded

    async def act(self, session: AsyncSession, row: Arrival, *, now: datetime) -> Posted | None:
        """Handle a verified message, or return it to be forwarded."""
        delivery = self._delivery(session, row, now=now)
        message = delivery.message
        route = self.route(message.type, message.destination)
        if route is None and not delivery.transit:
            raise MessageRefused(
                f"This node does not understand messages of type {message.type}; upgrade it, then retry."
            )
        if route is not None:
            # Bound by hand: the context manager for it copies the whole context for each message.
            bound = structlog.contextvars.bind_contextvars(
                message_id=str(message.id), message_type=message.type, message_source=message.source
            )
            try:
                await route.handle(delivery)
            finally:
                structlog.contextvars.reset_contextvars(**bound)
        return _onward(row, delivery) if delivery.transit else None

    async def _act_together(
        self,
        session: AsyncSession,
        handle: Callable[[Sequence[Delivery]], Awaitable[None]],
        rows: Sequence[Arrival],
        *,
        now: datetime,
    ) -> list[Posted]:
        deliveries = [self._delivery(session, row, now=now) for row in rows]
        with contextlib.ExitStack() as spans:
            for row in rows:
                spans.enter_context(self.telemetry.handling(row))
            await handle(deliveries)
        both = zip(rows, deliveries, strict=True)
        return [_onward(row, delivery) for row, delivery in both if delivery.transit]

    def _delivery(self, session: AsyncSession, row: Arrival, *, now: datetime) -> Delivery:
        message = row.message or unpack(row.envelope)
        hops = (*hops_from_json(row.hops), Hop(self.here, now))
        return Delivery(message, hops, session, now, transit=message.destination != self.here)


def _onward(row: Arrival, delivery: Delivery) -> Posted:
    packed = Packed(row.envelope, row.signature)
    return Posted(delivery.message, packed, Lane(row.lane), delivery.hops)
