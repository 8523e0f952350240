"""What people do with calls that were handed over to them: try again, or give up.

*Retrying* sends the call again under its key. *Giving up* takes two: one proposes it with a reason, and another
approves. The call stays in the table with who, when and why, and those that waited behind it go on.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.capability import Action
from shared.kernel.database import notify
from shared.kernel.language import Text
from shared.kernel.second_person import SecondPersonNeeded
from shared.port import repository
from shared.port.models import CallState, PortCall
from shared.port.problems import (
    CallDiscardNotProposed,
    CallNotFound,
    CallNotHandedOver,
)
from shared.port.service import CHANNEL

log = structlog.get_logger("port")

RETRIED = Action(
    "port_call.retried", Text("A refused call of a port was tried again", "重试外部调用")
)
DISCARD_PROPOSED = Action(
    "port_call.discard_proposed",
    Text("Giving up a call of a port was proposed", "提议放弃外部调用"),
)
DISCARDED = Action("port_call.discarded", Text("A call of a port was given up", "放弃外部调用"))
ACTIONS = (RETRIED, DISCARD_PROPOSED, DISCARDED)


@dataclass(frozen=True, slots=True)
class Mending:
    """The handed-over calls of one node, in one transaction.

    Attributes:
        session: the transaction of the request or command.
        actor: who decides.
        now: the present moment.
    """

    session: AsyncSession
    actor: audit.Actor
    now: datetime

    async def retry(self, call_id: UUID) -> PortCall:
        """Try a call again, under its key; one that waits already is tried when it is due.

        Raises:
            CallNotFound: if there is no such call (404).
            CallNotHandedOver: if it has ended (409).
        """
        call = await self._found(call_id)
        if call.state not in {CallState.HANDED_OVER, CallState.WAITING}:
            raise CallNotHandedOver(call=call_id, state=call.state)
        if call.state == CallState.HANDED_OVER:
            self._record(RETRIED, call)
            call.state, call.due_at = CallState.WAITING, self.now
            call.discard_reason = call.discard_proposed_by = call.discard_proposed_at = None
            await notify(self.session, CHANNEL, call.port)
        await self.session.flush()  # the answer may be read by SQL in this transaction
        return call

    async def propose_discard(self, call_id: UUID, reason: str) -> PortCall:
        """Propose to give a call up; a later proposal takes an earlier one's place.

        Raises:
            CallNotFound: if there is no such call (404).
            CallNotHandedOver: unless it was handed over (409).
        """
        call = await self._handed_over(call_id)
        self._record(DISCARD_PROPOSED, call)
        call.discard_reason, call.discard_proposed_by = reason, self.actor.by
        call.discard_proposed_at = self.now
        await self.session.flush()  # the answer may be read by SQL in this transaction
        return call

    async def approve_discard(self, call_id: UUID) -> PortCall:
        """Give a call up as somebody else proposed; what waits behind it goes on.

        Raises:
            CallNotFound: if there is no such call (404).
            CallNotHandedOver: unless it was handed over (409).
            CallDiscardNotProposed: if nobody has proposed it (409).
            SecondPersonNeeded: if this is who proposed it (403).
        """
        call = await self._handed_over(call_id)
        if call.discard_proposed_by is None:
            raise CallDiscardNotProposed(call=call_id)
        if call.discard_proposed_by == self.actor.by:
            raise SecondPersonNeeded(by=self.actor.by)
        self._record(DISCARDED, call)
        call.state, call.discarded_by, call.ended_at = (
            CallState.DISCARDED,
            self.actor.by,
            self.now,
        )
        call.content_cipher = None
        await notify(self.session, CHANNEL, call.port)
        await self.session.flush()  # the answer may be read by SQL in this transaction
        log.warning(
            "call of a port given up",
            call=str(call.id),
            port=call.port,
            effect=call.effect,
            proposed_by=call.discard_proposed_by,
            approved_by=call.discarded_by,
        )
        return call

    async def _found(self, call_id: UUID) -> PortCall:
        call = await repository.lock(self.session, call_id)
        if call is None:
            raise CallNotFound(call=call_id)
        return call

    async def _handed_over(self, call_id: UUID) -> PortCall:
        call = await self._found(call_id)
        if call.state != CallState.HANDED_OVER:
            raise CallNotHandedOver(call=call_id, state=call.state)
        return call

    def _record(self, action: Action, call: PortCall) -> None:
        audit.record(self.session, self.actor, action, at=self.now, subject=("port_call", call.id))
