"""The visited node's end, the same for every kind: opening a record, telling home, finding what home answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request import messages, repository
from services.city_node.service_request.kind import Kind, Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.problems import (
    HomeIsHere,
    HomeNodeUnknown,
    HomeNotCity,
    RequestTimedOut,
    UnitNotYours,
)
from services.city_node.service_request.schemas import seal_context, sealed_bytes
from services.city_node.service_request.service import RequestNotFound, Step
from shared.access import Principal
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.models import Lane
from shared.federation.post import DestinationUnknown
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.problems import Fault
from shared.kernel.tier import Tier
from shared.organisation.division import division


@dataclass(frozen=True)
class VisitedEnd:
    """What the visited node does for the requests of one kind.

    Attributes:
        kind: the kind.
    """

    kind: Kind

    async def new_request(
        self,
        context: NodeContext,
        session: AsyncSession,
        principal: Principal,
        *,
        home: str,
        unit: str | None,
        subject: str,
        data: Mapping[str, Any],
        now: datetime,
    ) -> ServiceRequest:
        """Return a record for a customer at the counter, to be begun by its first move.

        Args:
            context: the node.
            session: the caller's transaction.
            principal: the member of staff.
            home: division code of the customer's home city.
            unit: the hall; the caller's own unit without it.
            subject: what it is about, masked.
            data: what the kind keeps, no personal number in clear.
            now: the present moment.

        Raises:
            shared.organisation.division.UnknownDivision: if the home city does not exist (422).
            HomeIsHere, HomeNotCity: if it cannot be the home of a cross-region request (422).
            UnitNotYours: if the unit is not active, or not the caller's (422).
        """
        here = context.settings.code
        if home == here:
            raise HomeIsHere(faults=[Fault("/home", "this node itself")], home=home)
        tier = division(home).tier
        if tier is not Tier.CITY:
            raise HomeNotCity(faults=[Fault("/home", "not a city")], home=home, tier=tier)
        hall = unit or principal.unit
        if await repository.active_unit(session, hall, principal.unit_path) is None:
            raise UnitNotYours(faults=[Fault("/unit", "no active unit of yours")], unit=hall)
        return ServiceRequest(
            id=new_id(),
            role=Party.VISITED,
            home=home,
            visited=here,
            subject=subject,
            deadline=now + self.kind.time_limit,
            data=dict(data),
            unit_code=hall,
            created_by=principal.username,
        )

    async def lock_own(
        self, session: AsyncSession, principal: Principal, request_id: UUID
    ) -> ServiceRequest:
        """Return and lock a request of the caller's units.

        Raises:
            RequestNotFound: if there is none (404).
        """
        path = principal.unit_path
        request = await repository.lock_within(session, self.kind, Party.VISITED, request_id, path)
        if request is None:
            raise RequestNotFound(id=request_id)
        return request

    async def find(
        self, delivery: Delivery, request_id: UUID, *, or_asked_before: bool = False
    ) -> ServiceRequest:
        """Return and lock the request that the home node answers; perhaps one that was asked before it.

        Raises:
            MessageRefused: if the sender is not its home node, or there is no such request.
        """
        request = await messages.find(
            delivery, self.kind, request_id, Party.VISITED, or_asked_before=or_asked_before
        )
        if request is None:
            raise MessageRefused(
                f"This node has no request {request_id} that {delivery.message.source} could answer: if its database was "
                "restored from a backup, the request is lost here and ends at its home node by its deadline."
            )
        return request

    def adopt_deadline(self, request: ServiceRequest, said: datetime | None) -> None:
        """Take the deadline that home says by the customer's level, if it is nearer than the request's own."""
        if said is not None:
            request.deadline = min(request.deadline, said)

    def step(self, context: NodeContext, event: str, by: str, words: Text, now: datetime) -> Step:
        """Return a move that this end makes."""
        return Step(event, Party.VISITED, now, context.settings.code, by, words)

    async def seal(
        self,
        context: NodeContext,
        session: AsyncSession,
        request: ServiceRequest,
        event: str,
        content: BaseModel,
    ) -> str:
        """Return ``content`` as only the home node can read it, bound to this request and ``event``.

        Raises:
            HomeNodeUnknown: if the federation has no node of that city (422).
        """
        where = seal_context(self.kind.code, request.id, event)
        try:
            return await context.post.seal_for(
                session, request.home, sealed_bytes(content), context=where
            )
        except DestinationUnknown:
            raise HomeNodeUnknown(
                faults=[Fault("/home", "no node of that city is known")], home=request.home
            ) from None

    def seal_for_self(
        self, context: NodeContext, request_id: UUID, event: str, content: BaseModel
    ) -> str:
        """Return ``content`` as only this node can read it, to find it again in its own messages."""
        where = seal_context(self.kind.code, request_id, event)
        return context.post.seal_for_self(sealed_bytes(content), context=where)

    async def tell(
        self,
        context: NodeContext,
        session: AsyncSession,
        request: ServiceRequest,
        type_: str,
        data: Mapping[str, Any],
        *,
        now: datetime,
        deadline: datetime | None = None,
    ) -> None:
        """Post a message about the request to its home node."""
        await context.post.post(
            session,
            type_,
            request.home,
            {"request_id": str(request.id), **data},
            lane=Lane.REQUEST,
            partition_key=str(request.id),
            now=now,
            subject=f"{self.kind.code}/{request.id}",
            correlation_id=request.id,
            deadline=deadline,
        )


def require_time(request: ServiceRequest, now: datetime) -> None:
    """Do nothing while a request has time.

    Raises:
        RequestTimedOut: if its time is over (409).
    """
    if request.deadline <= now:
        raise RequestTimedOut(
            id=request.id, deadline=request.deadline.isoformat(timespec="seconds")
        )
