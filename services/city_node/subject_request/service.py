"""The rules of people's requests. Every move passes through :func:`_move`, which records it."""

from datetime import date
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from services.city_node.customer.problems import DatesContradict
from services.city_node.customer.service import Desk
from services.city_node.erasure.models import ErasureCause
from services.city_node.erasure.service import Order, erase_one
from services.city_node.subject_request import repository, working_days
from services.city_node.subject_request.kind import ACTIONS, LIFECYCLE, REFUSALS, START
from services.city_node.subject_request.models import (
    SubjectRequest,
    SubjectRequestEvent,
    SubjectRequestKind,
)
from services.city_node.subject_request.problems import (
    ErasureBarred,
    ProposerMayNotApprove,
    RefusalUnknown,
    SubjectRequestNotInState,
    SubjectRequestOpen,
)
from services.city_node.subject_request.schemas import SubjectRequestCreate
from shared import audit
from shared.kernel.ids import new_id
from shared.kernel.preconditions import require_version


async def receive(desk: Desk, body: SubjectRequestCreate, working: int) -> SubjectRequest:
    """Take a request; ``working`` days after it was received it has to be answered.

    Raises:
        CustomerNotFound, CustomerErased: if there is no such customer in the caller's scope (404, 410).
        SubjectRequestOpen: if the person has one of that kind that is not settled (409).
        DatesContradict: if it was received in the future (422).
    """
    customer = await desk.locked(body.customer_id)
    received_on: date = body.received_on or desk.today
    if received_on > desk.today:
        raise DatesContradict("received_on", received_on, "after", desk.today)
    request = SubjectRequest(
        id=new_id(),
        customer_id=customer.id,
        kind=str(body.kind),
        state=START,
        details=body.details,
        received_on=received_on,
        deadline=working_days.after(received_on, working),
        created_at=desk.now,
        created_by=desk.principal.username,
        updated_at=desk.now,
        version=0,
    )
    desk.session.add(request)
    try:
        await _move(desk, request, "receive")
    except IntegrityError as error:
        raise SubjectRequestOpen(kind=body.kind) from error
    return request


async def verify(
    desk: Desk, request_id: UUID, expected: int, identity_check: str
) -> SubjectRequest:
    """Note how the identity was checked.

    Raises:
        SubjectRequestNotFound, VersionStale, SubjectRequestNotInState: as every move (404, 412, 409).
    """
    request = await _locked(desk, request_id, expected)
    await _move(desk, request, "verify")
    request.identity_check = identity_check
    return request


async def fulfil(desk: Desk, request_id: UUID, expected: int, note: str | None) -> SubjectRequest:
    """Close a request whose person was shown the data, or whose data was corrected.

    Raises:
        SubjectRequestNotFound, VersionStale, SubjectRequestNotInState: as every move (404, 412, 409).
    """
    request = await _locked(desk, request_id, expected)
    await _move(desk, request, "fulfil", note)
    return request


async def note_export(desk: Desk, request_id: UUID) -> SubjectRequest:
    """Note that somebody is about to be given everything that is held about the person.

    Raises:
        SubjectRequestNotFound, SubjectRequestNotInState: as every move (404, 409).
    """
    request = await _locked(desk, request_id, None)
    await _move(desk, request, "export")
    return request


async def propose(
    desk: Desk, request_id: UUID, expected: int, note: str | None, *, legal_days: int
) -> SubjectRequest:
    """Propose to erase the person: the first of two people.

    Raises:
        SubjectRequestNotFound, VersionStale, SubjectRequestNotInState: as every move (404, 412, 409).
        ErasureBarred: if the law or a contract stands against it (409).
    """
    request = await _locked(desk, request_id, expected)
    await _move(desk, request, "propose", note)
    await _require_free(desk, request, legal_days)
    request.proposed_by = desk.principal.username
    return request


async def approve(
    desk: Desk, request_id: UUID, expected: int, *, legal_days: int
) -> SubjectRequest:
    """Erase the person as somebody else proposed, at once.

    Raises:
        SubjectRequestNotFound, VersionStale, SubjectRequestNotInState: as every move (404, 412, 409).
        ProposerMayNotApprove: if the caller proposed it (409).
        ErasureBarred: if something has come to stand against it (409).
    """
    request = await _locked(desk, request_id, expected)
    if request.proposed_by == desk.principal.username:
        raise ProposerMayNotApprove
    await _move(desk, request, "approve")
    await _require_free(desk, request, legal_days)
    order = Order(
        audit.Actor.of(desk.principal),
        cause=ErasureCause.SUBJECT_REQUEST,
        cause_id=request.id,
        proposed_by=request.proposed_by,
    )
    await desk.session.flush()  # erasure empties the texts of this very request
    await erase_one(desk.session, request.customer_id, order, desk.cipher, now=desk.now)
    await desk.session.refresh(request)
    return request


async def send_back(
    desk: Desk, request_id: UUID, expected: int, note: str | None
) -> SubjectRequest:
    """Reject a proposal to erase, without refusing the person yet.

    Raises:
        SubjectRequestNotFound, VersionStale, SubjectRequestNotInState: as every move (404, 412, 409).
    """
    request = await _locked(desk, request_id, expected)
    await _move(desk, request, "send-back", note)
    request.proposed_by = None
    return request


async def refuse(
    desk: Desk, request_id: UUID, expected: int, code: str, note: str | None
) -> SubjectRequest:
    """Refuse a request for a declared reason.

    Raises:
        SubjectRequestNotFound, VersionStale, SubjectRequestNotInState: as every move (404, 412, 409).
        RefusalUnknown: if the reason is none of the declared ones (422).
    """
    if code not in REFUSALS:
        raise RefusalUnknown(code)
    request = await _locked(desk, request_id, expected)
    await _move(desk, request, "refuse", note)
    request.refusal_code = code
    return request


async def withdraw(desk: Desk, request_id: UUID, expected: int, note: str | None) -> SubjectRequest:
    """Close a request that the person takes back.

    Raises:
        SubjectRequestNotFound, VersionStale, SubjectRequestNotInState: as every move (404, 412, 409).
    """
    request = await _locked(desk, request_id, expected)
    await _move(desk, request, "withdraw", note)
    return request


async def _locked(desk: Desk, request_id: UUID, expected: int | None) -> SubjectRequest:
    request = await repository.lock(desk.session, request_id, desk.principal.unit_path)
    if expected is not None:
        require_version(request.version, expected)
    return request


async def _require_free(desk: Desk, request: SubjectRequest, legal_days: int) -> None:
    customer = await desk.locked(request.customer_id)
    barred = await repository.bars(
        desk.session, customer.id, today=desk.today, legal_days=legal_days
    )
    if barred:
        raise ErasureBarred(barred)


async def _move(desk: Desk, request: SubjectRequest, event: str, note: str | None = None) -> None:
    kind = SubjectRequestKind(request.kind)
    target = LIFECYCLE.target(kind, request.state, event)
    if target is None:
        possible = ", ".join(LIFECYCLE.possible(kind, request.state)) or "-"
        raise SubjectRequestNotInState(state=request.state, event=event, possible=possible)
    request.state = target.code
    request.updated_at = desk.now
    request.ended_at = desk.now if target.final else None
    request.version += 1
    await desk.session.flush()  # the trail refers to it, and a second open request is refused here
    audit.record(
        desk.session,
        audit.Actor.of(desk.principal),
        ACTIONS[event],
        at=desk.now,
        subject=("subject_request", request.id),
        cause_id=request.customer_id,
    )
    desk.session.add(
        SubjectRequestEvent(
            request_id=request.id,
            at=desk.now,
            by=desk.principal.username,
            event=event,
            state=target.code,
            note=note,
        )
    )
