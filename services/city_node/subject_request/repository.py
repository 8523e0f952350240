"""The queries about people's requests."""

from datetime import date
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import Customer
from services.city_node.subject_request.models import SubjectRequest
from services.city_node.subject_request.problems import not_found
from services.city_node.subject_request.schemas import SubjectRequestOut
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit

# Requests of who was erased stay visible: they say what was done.
LISTING = Listing(
    source="subject_request p JOIN customer c ON c.id = p.customer_id JOIN organisation_unit u ON u.code = c.unit_code",
    key=Sort("p.id", "uuid"),
    columns={name: f"p.{name}" for name in SubjectRequestOut.model_fields},
    sorts={
        "deadline": Sort("p.deadline", "date"),
        "created_at": Sort("p.created_at", "timestamptz"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "p.id = {}",
        "customer": "p.customer_id = {}",
        "kind": "p.kind = {}",
        "state": "p.state = {}",
        "open": "(p.ended_at IS NULL) = {}",
        "deadline_before": "p.deadline < {}",
    },
)
TRAIL = """(SELECT coalesce(json_agg(json_build_object(
    'at', e.at, 'by', e.by, 'event', e.event, 'state', e.state, 'note', e.note) ORDER BY e.id), '[]')
    FROM subject_request_event e WHERE e.request_id = p.id)"""
PROPOSAL_PATH = "CASE WHEN p.kind = 'rectification' THEN '/customers/' || p.customer_id END"

_BARS = text("""
    SELECT concat_ws(',',
        CASE WHEN c.library = 'in_network' THEN 'active_contract' END,
        CASE WHEN EXISTS (SELECT FROM agreement a WHERE a.customer_id = c.id AND a.starts_on <= :today
                          AND (a.expires_on > :today OR a.expires_on IS NULL)) THEN 'agreement_in_force' END,
        CASE WHEN EXISTS (SELECT FROM bill b WHERE b.customer_id = c.id AND b.paid_on IS NULL AND b.charge_fen > 0)
             THEN 'arrears' END,
        CASE WHEN c.left_on + CAST(:days AS int) > :today THEN 'legal_retention' END,
        CASE WHEN EXISTS (SELECT FROM legal_hold h WHERE h.customer_id = c.id AND h.lifted_at IS NULL)
             THEN 'legal_hold' END)
    FROM customer c WHERE c.id = :customer""")


async def lock(session: AsyncSession, request_id: UUID, unit_path: str) -> SubjectRequest:
    """Return a request of a unit's customers, locked.

    Raises:
        SubjectRequestNotFound: if there is none below the unit.
    """
    found = await session.scalar(
        select(SubjectRequest)
        .join(Customer, Customer.id == SubjectRequest.customer_id)
        .join(OrganisationUnit, OrganisationUnit.code == Customer.unit_code)
        .where(SubjectRequest.id == request_id, func.starts_with(OrganisationUnit.path, unit_path))
        .with_for_update(of=SubjectRequest)
    )
    if found is None:
        raise not_found(request_id)
    return found


async def bars(
    session: AsyncSession, customer_id: UUID, *, today: date, legal_days: int
) -> list[str]:
    """Return the codes of what stands against erasing a customer, who is locked."""
    found: str = await session.scalar(
        _BARS, {"customer": customer_id, "today": today, "days": legal_days}
    )
    return found.split(",") if found else []
