"""What the message handlers of every kind share: reading, finding the record, hearing once, answering."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from services.city_node.service_request import repository, service
from services.city_node.service_request.kind import Kind, Party, Refusal
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.schemas import AnsweredNo, HopData
from services.city_node.service_request.service import Step
from shared.federation.delivery import Delivery, MessageRefused
from shared.kernel.language import Text

Payload = TypeVar("Payload", bound=BaseModel)

ASKED_AT = "asked_at"
"""Where a record keeps which homes it has asked, once there are several."""


def read(form: type[Payload], delivery: Delivery) -> Payload:
    """Return the message's data in the form that its type promises.

    Raises:
        MessageRefused: if it does not have that form; the sentence names each place and repeats no content.
    """
    try:
        return form.model_validate(delivery.message.data)
    except ValidationError as error:
        raise MessageRefused(complaint(delivery, error)) from None


def complaint(delivery: Delivery, error: ValidationError) -> str:
    """Return what is wrong with a message's data as a sentence: each place, and none of the content."""
    places = "; ".join(
        f"{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
    )
    return f"The data of {delivery.message.type} is not as that type promises: {places}."


async def find(
    delivery: Delivery, kind: Kind, request_id: UUID, role: Party, *, or_asked_before: bool = False
) -> ServiceRequest | None:
    """Return this end's record, locked, if the message comes from the request's other end.

    Args:
        delivery: the message.
        kind: of request.
        request_id: the request.
        role: which end this is.
        or_asked_before: whether a home that was asked before the customer was followed elsewhere may have said it, too.

    Raises:
        MessageRefused: if the record of that id is not between the sender and this node in these roles.
    """
    request = await repository.lock(delivery.session, kind, request_id)
    if request is None:
        if await repository.exists(delivery.session, request_id):
            raise MessageRefused(f"Request {request_id} is of another kind than {kind.code}.")
        return None
    other_end = request.visited if role is Party.HOME else request.home
    # Who was asked before the customer was followed elsewhere may repeat what it said.
    source = delivery.message.source
    is_other_end = (
        other_end == source
        or (or_asked_before and source in request.data.get(ASKED_AT, ()))
        or await repository.has_heard(delivery.session, request_id, delivery.message.id)
    )
    if request.role != role or not is_other_end:
        raise MessageRefused(
            f"Request {request_id} is not between {delivery.message.source} and this node as its {role} node."
        )
    return request


async def hear(
    delivery: Delivery,
    kind: Kind,
    request: ServiceRequest,
    event: str,
    words: Text,
    *,
    question_hops: Sequence[HopData] = (),
    refusal: Refusal | None = None,
) -> bool:
    """Let a message from the other end move a locked record, once.

    A message that was heard before changes nothing. One that comes when all is over is noted in the trail.

    Returns:
        Whether the record moved, so that the kind's own effects are due.

    Raises:
        MessageRefused: if the kind does not allow this in the present state.
    """
    if await repository.has_heard(delivery.session, request.id, delivery.message.id):
        return False
    late = request.ended_at is not None
    party = Party(request.role).other
    if not late and not service.is_allowed(kind, request, event, party):
        raise MessageRefused(
            f"Request {request.id} is in state {request.state}, where the {party} node cannot make it {event!r}."
        )
    service.record_journey(delivery.session, request, [hop.to_hop() for hop in question_hops])
    service.record_journey(delivery.session, request, delivery.hops)
    if late:
        await note_late(delivery, request, event, words)
        return False
    await service.advance(
        delivery.session, kind, request, heard_step(delivery, request, event, words, refusal)
    )
    return True


async def note_late(delivery: Delivery, request: ServiceRequest, event: str, words: Text) -> None:
    """Write down a message that came when all was over."""
    late = Text(
        f"{words.en} This came after the request had ended ({request.state}); nothing was changed.",
        f"{words.zh}（到达时请求已结束：{request.state}，未作更改。）",
    )
    await service.note(delivery.session, request, heard_step(delivery, request, event, late))


def heard_step(
    delivery: Delivery,
    request: ServiceRequest,
    event: str,
    words: Text,
    refusal: Refusal | None = None,
) -> Step:
    """Return the step that a message from the other end makes at this one."""
    return Step(
        event=event,
        party=Party(request.role).other,
        at=delivery.now,
        node=request.home if request.role == Party.HOME else request.visited,
        by=delivery.message.source,
        note=words,
        message_id=delivery.message.id,
        refusal=refusal,
    )


def answer_data(delivery: Delivery, request_id: UUID) -> dict[str, Any]:
    """Return what every answer carries: the request, and the way that the question came."""
    hops = [{"node": hop.node, "at": hop.at.isoformat()} for hop in delivery.hops]
    return {"request_id": str(request_id), "hops": hops}


def refusal_data(delivery: Delivery, request_id: UUID, refusal: Refusal) -> dict[str, Any]:
    """Return what a refusal carries."""
    return {
        **answer_data(delivery, request_id),
        "reason": refusal.code,
        "text": service.spoken(refusal.text),
    }


def refusal_of(data: AnsweredNo) -> Refusal:
    """Return why the other end refused, in its own words: it may know reasons that this node does not."""
    return Refusal(data.reason, data.text.to_text())
