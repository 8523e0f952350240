"""The engine: moves records as their kind allows, and writes the trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.kind import START, Kind, Party, Refusal, State
from services.city_node.service_request.models import ServiceRequest, ServiceRequestEvent
from shared.federation.delivery import Hop
from shared.kernel.language import Text
from shared.kernel.problems import Problem


class RequestNotFound(Problem):
    """There is no such request at this node, or it belongs to units that the caller does not see."""

    status = 404
    title = Text("Request not found", "请求不存在")
    sentence = Text(
        "There is no request {id} in your units at this node. `GET /service-requests` lists those there are.",
        "本节点您所辖单位内没有请求 {id}，可用 GET /service-requests 查询。",
    )


class RequestNotInState(Problem):
    """What was asked for is not possible in the state that the request has reached."""

    status = 409
    title = Text("Request not in state", "请求状态不符")
    sentence = Text(
        "Request {id} is in state {state}, where `{event}` is not possible. {possible_en}",
        "请求 {id} 当前状态为 {state}，不能执行 {event}。{possible_zh}",
    )


_ON_THE_WAY = {
    "departed": Text("Sent", "已发出"),
    "carried": Text("Passed on", "已转发"),
    "arrived": Text("Arrived", "已送达"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens to a record.

    Attributes:
        event: what, as its kind names it.
        party: which end makes it happen.
        at: when.
        node: where.
        by: who: a user, a node or a job.
        note: the same in words, for the trail.
        message_id: the message that told of it.
        refusal: why, where the event is a refusal.
    """

    event: str
    party: Party
    at: datetime
    node: str
    by: str
    note: Text
    message_id: UUID | None = None
    refusal: Refusal | None = None


async def begin(
    session: AsyncSession,
    kind: Kind,
    request: ServiceRequest,
    step: Step,
    *,
    journey: Sequence[Hop] = (),
) -> None:
    """Open a record by its first move.

    Args:
        session: the caller's transaction.
        kind: what kind of request it is.
        request: the new record, whose state is filled in here.
        step: the move.
        journey: the nodes by which the message came that opens the record.

    Raises:
        RequestNotInState: if no record of this kind begins so (409).
    """
    request.kind = kind.code
    request.created_at = step.at
    request.version = 0
    _enter(request, _target(kind, request, START, step), step)
    session.add(request)
    await session.flush()  # the trail refers to it
    record_journey(session, request, journey)
    _record(session, request, step, request.state)
    await session.flush()  # so that lines are numbered in the order in which they were added


async def advance(session: AsyncSession, kind: Kind, request: ServiceRequest, step: Step) -> None:
    """Move a locked record.

    Raises:
        RequestNotInState: if its kind does not allow this in its present state (409).
    """
    _enter(request, _target(kind, request, request.state, step), step)
    _record(session, request, step, request.state)
    await session.flush()  # lines are numbered in order, and later statements see the new state


async def reopen(
    session: AsyncSession, kind: Kind, request: ServiceRequest, state: str, step: Step
) -> None:
    """Take a locked record back to a state that it had left, because this node was restored from a backup since.

    No move of a kind leaves a final state: what ended has ended. But a restored node may end a second time, and
    otherwise, what had gone on before; its own word of then decides.
    """
    target = next(each for each in kind.states if each.code == state)
    _enter(request, target, step)
    _record(session, request, step, request.state)
    await session.flush()  # lines are numbered in order, and later statements see the new state


async def note(session: AsyncSession, request: ServiceRequest, step: Step) -> None:
    """Write a line into the trail that changes nothing else."""
    request.version += 1
    request.updated_at = step.at
    _record(session, request, step, None)
    await session.flush()  # lines are numbered in order


def is_allowed(kind: Kind, request: ServiceRequest, event: str, party: Party) -> bool:
    """Tell whether ``party`` may make ``event`` happen to the record now."""
    return kind.target(Party(request.role), request.state, event, party) is not None


def record_journey(session: AsyncSession, request: ServiceRequest, hops: Sequence[Hop]) -> None:
    """Write down the way that a message took, as one follows a parcel: no line for what this node sent itself.

    Args:
        session: the caller's transaction.
        request: whose trail.
        hops: the nodes that it passed, its origin first, its addressee last.
    """
    own = request.home if request.role == Party.HOME else request.visited
    for place, hop in enumerate(hops):
        if place == 0 and hop.node == own:
            continue
        event = "departed" if place == 0 else "arrived" if place == len(hops) - 1 else "carried"
        line = Step(event, Party(request.role), hop.at, hop.node, hop.node, _ON_THE_WAY[event])
        _record(session, request, line, None)


def _target(kind: Kind, request: ServiceRequest, origin: str, step: Step) -> State:
    role = Party(request.role)
    target = kind.target(role, origin, step.event, step.party)
    if target is None:
        events = ", ".join(kind.possible(role, origin, step.party))
        name = next(
            (state.name for state in kind.states if state.code == origin), Text(origin, origin)
        )
        raise RequestNotInState(
            id=request.id,
            state=f"{origin} ({name.en} {name.zh})",
            event=step.event,
            possible_en=f"Possible now: {events}."
            if events
            else "Nothing more can be done at this end now.",
            possible_zh=f"当前可执行：{events}。" if events else "本端当前无可执行的操作。",
        )
    return target


def _enter(request: ServiceRequest, state: State, step: Step) -> None:
    request.state = state.code
    request.awaiting = state.awaits
    request.updated_at = step.at
    request.ended_at = step.at if state.final else None
    request.attend_at = step.at + state.patience if state.patience is not None else None
    request.attention_code = request.attention_text = request.attention_since = None
    request.question = None  # answered, or given up
    request.version += 1
    if step.refusal is not None:
        request.refusal_code = step.refusal.code
        request.refusal_text = spoken(step.refusal.text)


def _record(session: AsyncSession, request: ServiceRequest, step: Step, state: str | None) -> None:
    session.add(
        ServiceRequestEvent(
            request_id=request.id,
            at=step.at,
            node=step.node,
            event=step.event,
            state=state,
            note=spoken(step.note),
            by=step.by,
            message_id=step.message_id,
        )
    )


def spoken(words: Text) -> dict[str, str]:
    """Return words in both languages as they are stored and sent."""
    return {"en": words.en, "zh": words.zh}
