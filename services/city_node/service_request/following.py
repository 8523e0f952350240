"""Following a customer who moved: the visited node asks again where the customer is, by itself.

A kind opts in by ``follows=True``, and asks by :func:`ask`, which keeps the question beside the record: sealed for this
node itself, until the record leaves the state that it was asked in. A home node that has lost the customer to another
refuses as *moved* and names the new home. The visited node then seals the question for that one and sends it; the
record stays in its state, with another home, and the trail says so. It gives up, and the request ends refused as moved,
after :data:`MOST_FOLLOWED` homes, when it is sent where it has asked already or to itself, when its time is over, or
when the federation does not know the new home.

At home a kind asks :meth:`~services.city_node.service_request.home.HomeEnd.missing` why it refuses a number that is not
there; at the visited node it hands refusals to :func:`follow` first.

A node that was restored from a backup finds in its own messages where it had asked last (:func:`recall`); what a home
that it had asked before says again changes nothing. A kind that must not lose the customer then, because money has
changed hands, seals for itself what it needs to keep the question again (:func:`keep`); the others do not know it any
more, and a customer who moves on at that very time is not followed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request import finding, repository, service
from services.city_node.service_request.kind import MOVED, Party
from services.city_node.service_request.messages import ASKED_AT, heard_step
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.schemas import AnsweredNo, seal_context
from services.city_node.service_request.visited import VisitedEnd
from shared.capability import NodeContext
from shared.federation.delivery import Delivery
from shared.federation.keys import SealError
from shared.federation.post import DestinationUnknown
from shared.kernel.language import Text

MOST_FOLLOWED = 5
"""Homes that a question is sent on to."""
_KEPT = "question"


class KeptQuestion(BaseModel):
    """A question as it is kept: everything that is needed to ask it again elsewhere."""

    type: str
    event: str
    msisdn: str
    content: str
    """What is sealed in it, as JSON."""
    data: dict[str, Any]
    """What is in clear."""


async def ask(
    end: VisitedEnd,
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    type_: str,
    *,
    event: str,
    msisdn: str,
    content: BaseModel,
    data: Mapping[str, Any],
    now: datetime,
) -> None:
    """Post a question about a number to the request's home, and keep it for the case that its customer has moved.

    Args:
        end: the kind's visited end.
        context: the node.
        session: the caller's transaction.
        request: the record, in the state that awaits the answer.
        type_: the type of the message.
        event: what the question is, as the kind names it.
        msisdn: the number that it is about.
        content: what only home may read.
        data: what everybody may.
        now: the present moment.

    Raises:
        HomeNodeUnknown: if the federation has no node of that city (422).
    """
    sealed = await end.seal(context, session, request, event, content)
    keep(end, context, request, type_, event=event, msisdn=msisdn, content=content, data=data)
    message = {**data, "sealed": sealed}
    until = _deadline(end, request)
    await end.tell(context, session, request, type_, message, now=now, deadline=until)


def keep(
    end: VisitedEnd,
    context: NodeContext,
    request: ServiceRequest,
    type_: str,
    *,
    event: str,
    msisdn: str,
    content: BaseModel,
    data: Mapping[str, Any],
) -> None:
    """Keep a question beside the record for the case that its customer has moved, if the kind follows who has."""
    if end.kind.follows:
        kept = KeptQuestion(
            type=type_,
            event=event,
            msisdn=msisdn,
            content=content.model_dump_json(),
            data=dict(data),
        )
        request.question = end.seal_for_self(context, request.id, _KEPT, kept)


def _deadline(end: VisitedEnd, request: ServiceRequest) -> datetime | None:
    """Return until when a question is of use: for ever, if the visited node's clock ends no request of the kind."""
    return request.deadline if end.kind.expirable(Party.VISITED) else None


async def follow(
    end: VisitedEnd,
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    data: AnsweredNo,
) -> bool:
    """Ask again where the customer has moved to, if that is what a refusal says; tells whether it was dealt with so.

    Args:
        end: the kind's visited end.
        context: the node.
        delivery: the refusal.
        request: the record, locked.
        data: what the refusal says.
    """
    new_home = data.moved_to
    if delivery.message.source != request.home:
        return True  # who was asked before says again what it said
    if not end.kind.follows or data.reason != MOVED or new_home is None:
        return False
    session, now = delivery.session, delivery.now
    if await repository.has_heard(session, request.id, delivery.message.id):
        return True
    kept = _opened(end, context, request)
    asked = [*request.data.get(ASKED_AT, [request.home])]
    until = _deadline(end, request)
    if (
        kept is None
        or new_home in {*asked, request.visited}
        or len(asked) > MOST_FOLLOWED
        or (until is not None and until <= now)
    ):
        return False
    where = seal_context(end.kind.code, request.id, kept.event)
    try:
        sealed = await context.post.seal_for(
            session, new_home, kept.content.encode(), context=where
        )
    except DestinationUnknown:
        return False
    words = Text(
        f"{request.home} says that the customer has moved to {new_home}, which is asked now.",
        f"{request.home} 告知客户已转至 {new_home}，现向该地核验。",
    )
    service.record_journey(session, request, [hop.to_hop() for hop in data.hops])
    service.record_journey(session, request, delivery.hops)
    await service.note(session, request, heard_step(delivery, request, "followed", words))
    request.home = new_home
    request.data = request.data | {ASKED_AT: [*asked, new_home]}
    await finding.remember(session, context.cipher, kept.msisdn, new_home, now=now)
    message = {**kept.data, "sealed": sealed}
    await end.tell(context, session, request, kept.type, message, now=now, deadline=until)
    return True


def _opened(end: VisitedEnd, context: NodeContext, request: ServiceRequest) -> KeptQuestion | None:
    if request.question is None:
        return None
    where = seal_context(end.kind.code, request.id, _KEPT)
    try:
        return KeptQuestion.model_validate_json(
            context.post.open_sealed(request.question, context=where)
        )
    except (SealError, ValidationError):
        return None


async def recall(end: VisitedEnd, delivery: Delivery, request: ServiceRequest) -> None:
    """At a restored node: know again that a question which is known already was also asked elsewhere."""
    home = delivery.message.destination
    asked = [*request.data.get(ASKED_AT, [request.home])]
    if not end.kind.follows or request.role != Party.VISITED or home in asked:
        return
    request.home = home
    request.data = request.data | {ASKED_AT: [*asked, home]}
