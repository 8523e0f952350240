"""What the visited node tells home, each time with a *memo* for itself: its whole end of the request.

The memo is sealed so that nobody else can read it. A visited node that was restored from a backup is given its own
messages back, and puts itself into the state of the last of them (:mod:`~services.city_node.repair.recall`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.repair import repository
from services.city_node.repair.kind import KIND
from services.city_node.service_request import service
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.visited import VisitedEnd
from services.city_node.till.models import EntryKind
from services.city_node.till.service import Drawer
from shared.capability import NodeContext

END = VisitedEnd(KIND)
MEMO = "memo"
_ROWS = text(
    """
    SELECT (SELECT to_jsonb(t) FROM repair_ticket t WHERE t.request_id = :id) AS ticket,
           (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM repair_estimate e WHERE e.request_id = :id) AS estimates,
           (SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.lent_at, l.id), '[]')
            FROM handset_loan l WHERE l.request_id = :id) AS loans,
           (SELECT coalesce(jsonb_agg(DISTINCT to_jsonb(h)), '[]') FROM handset_loan l
            JOIN loan_handset h ON h.id = l.handset_id WHERE l.request_id = :id) AS handsets,
           (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM repair_satisfaction s WHERE s.request_id = :id) AS ratings,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'loan', e.cause_id, 'kind', e.kind, 'fen', abs(e.amount_fen), 'by', e.by, 'at', e.at,
                'drawer', jsonb_build_object('id', s.id, 'unit', s.unit_code, 'cashier', s.cashier,
                    'cashier_id', s.cashier_id, 'float_fen', s.float_fen, 'opened_at', s.opened_at)) ORDER BY e.id), '[]')
            FROM till_entry e JOIN till_shift s ON s.id = e.shift_id
            WHERE e.cause_id IN (SELECT l.id FROM handset_loan l WHERE l.request_id = :id)) AS deposits
    """
).columns(
    *(
        column(name, JSONB)
        for name in ("ticket", "estimates", "loans", "handsets", "ratings", "deposits")
    )
)


class Deposit(BaseModel):
    """Cash that a loan has moved, and in which drawer."""

    loan: UUID
    kind: EntryKind
    fen: int
    by: str
    at: datetime
    drawer: Drawer


class Memo(BaseModel):
    """The visited node's end of a request: its record, and the rows of its tables as they were."""

    by: str
    unit: str
    subject: str
    deadline: datetime
    state: str
    version: int
    data: dict[str, Any]
    refusal: tuple[str, dict[str, str]] | None = None
    ticket: dict[str, Any]
    estimates: list[dict[str, Any]]
    loans: list[dict[str, Any]]
    handsets: list[dict[str, Any]]
    ratings: list[dict[str, Any]]
    deposits: list[Deposit] = []


async def tell(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    type_: str,
    data: Mapping[str, Any],
    *,
    now: datetime,
    deadline: datetime | None = None,
) -> str:
    """Post a message about the request to its home node, with the memo of how it stands now; return the memo."""
    ticket = await repository.ticket_of(session, request.id)
    ticket.told += 1
    memo = END.seal_for_self(context, request.id, MEMO, await _memo(session, request))
    await END.tell(
        context, session, request, type_, {**data, "memo": memo}, now=now, deadline=deadline
    )
    return memo


def require_possible(request: ServiceRequest, event: str) -> None:
    """Do nothing while this node's people may make ``event`` happen.

    Raises:
        RequestNotInState: otherwise (409).
    """
    if not service.is_allowed(KIND, request, event, Party.VISITED):
        raise _not_in_state(request, event)


def require_handed_back(request: ServiceRequest) -> None:
    """Do nothing once the handset is back with the customer, repaired or not.

    Raises:
        RequestNotInState: otherwise (409).
    """
    if request.state not in {"returned", "completed"}:
        raise _not_in_state(request, "rated")


def _not_in_state(request: ServiceRequest, event: str) -> service.RequestNotInState:
    possible = ", ".join(KIND.possible(Party.VISITED, request.state, Party.VISITED))
    return service.RequestNotInState(
        id=request.id,
        state=request.state,
        event=event,
        possible_en=f"Possible now: {possible}." if possible else "Nothing more can be done.",
        possible_zh=f"当前可执行：{possible}。" if possible else "当前无可执行的操作。",
    )


async def _memo(session: AsyncSession, request: ServiceRequest) -> Memo:
    await session.flush()  # the statement reads what this transaction has changed
    rows = (await session.execute(_ROWS, {"id": request.id})).mappings().one()
    refusal = None
    if request.refusal_code is not None and request.refusal_text is not None:
        refusal = (request.refusal_code, request.refusal_text)
    return Memo(
        by=request.created_by,
        unit=request.unit_code,
        subject=request.subject,
        deadline=request.deadline,
        state=request.state,
        version=request.version,
        data=request.data,
        refusal=refusal,
        **rows,
    )
