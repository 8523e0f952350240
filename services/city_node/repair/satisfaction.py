"""How satisfied the customer is: asked at the counter or later, kept at both ends, the words at home alone."""

from uuid import UUID

from services.city_node.repair import kind, repository
from services.city_node.repair.counter import Counter
from services.city_node.repair.models import RepairSatisfaction
from services.city_node.repair.problems import AlreadyRated
from services.city_node.repair.schemas import SatisfactionIn
from services.city_node.repair.telling import END, require_handed_back
from services.city_node.repair.wire import Comment
from services.city_node.service_request import service
from shared.kernel.language import Text

RATED = "rated"


async def rate(
    desk: Counter,
    request_id: UUID,
    given: SatisfactionIn,
) -> None:
    """Note the customer's answer once, and tell home; the words go there sealed and are not kept here.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless the handset is back with the customer (409).
        AlreadyRated: if they have answered (409).
    """
    request = await desk.lock(request_id)
    require_handed_back(request)
    ticket = await repository.ticket_of(desk.session, request.id)
    if await repository.is_rated(desk.session, request.id):
        raise AlreadyRated(id=request.id)
    assert ticket.level is not None  # noqa: S101 - the state says so
    desk.session.add(
        RepairSatisfaction(
            request_id=request.id,
            score=given.score,
            level=ticket.level,
            unit_code=request.unit_code,
            answered_at=desk.now,
        )
    )
    words = Text(
        f"The customer's satisfaction is {given.score} of 5.",
        f"客户满意度：{given.score} 分（满分 5 分）。",
    )
    step = desk.step(RATED, words)
    await service.note(desk.session, request, step)
    sealed = None
    if given.comment is not None:
        sealed = await END.seal(
            desk.context, desk.session, request, RATED, Comment(comment=given.comment)
        )
    await desk.tell(request, kind.RATED, {"score": given.score, "sealed": sealed})
