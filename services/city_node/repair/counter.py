"""Where the visited node's staff work on a repair: one transaction, who works in it, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.repair import kind
from services.city_node.repair.telling import END, tell
from services.city_node.service_request import service
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.service import Step
from shared.access import Principal
from shared.capability import NodeContext
from shared.kernel.language import Text


@dataclass(frozen=True, slots=True)
class Counter:
    """A member of staff at the counter.

    Attributes:
        context: the node.
        session: the transaction.
        principal: the member of staff.
        now: the present moment.
    """

    context: NodeContext
    session: AsyncSession
    principal: Principal
    now: datetime

    async def lock(self, request_id: UUID) -> ServiceRequest:
        """Return and lock a repair of the caller's units.

        Raises:
            RequestNotFound: if there is none (404).
        """
        return await END.lock_own(self.session, self.principal, request_id)

    def step(self, event: str, words: Text) -> Step:
        """Return a move that the caller makes."""
        return END.step(self.context, event, self.principal.username, words, self.now)

    async def tell(self, request: ServiceRequest, type_: str, data: Mapping[str, Any]) -> None:
        """Tell home, with the memo of how the request stands now."""
        await tell(self.context, self.session, request, type_, data, now=self.now)

    async def note(self, request: ServiceRequest, event: str, words: Text) -> None:
        """Note something that moves nothing, and tell home of it."""
        await service.note(self.session, request, self.step(event, words))
        await self.tell_progress(request, event)

    async def tell_progress(self, request: ServiceRequest, event: str) -> None:
        """Tell home of a step on the way, for its people to follow."""
        await self.tell(request, kind.PROGRESSED, {"event": event})
