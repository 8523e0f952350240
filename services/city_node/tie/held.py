"""Ties as something that customers hold."""

from services.city_node.customer.models import Customer, CustomerKind, MediumKind
from services.city_node.customer.privacy import third_party_name
from services.city_node.customer.service import Desk
from services.city_node.held.declaration import SCOPE, Held
from services.city_node.held.problems import HeldAlready, RelatedCustomerUnknown
from services.city_node.held.service import require_customer
from services.city_node.tie.models import Tie
from services.city_node.tie.schemas import TieCreate, TieOut
from shared.kernel.listing import Sort

# ruff: noqa: S608 - put together from declarations, never from input


async def _check(desk: Desk, customer: Customer, row: Tie) -> None:
    if row.related_id is None:
        return
    if row.related_id == customer.id:
        raise RelatedCustomerUnknown("/related_id", row.related_id, CustomerKind.INDIVIDUAL)
    await require_customer(desk, row.related_id, "/related_id", kind=CustomerKind.INDIVIDUAL)


ties = Held(
    name="ties",
    title="tie",
    model=Tie,
    body=TieCreate,
    out=TieOut,
    sorts={"id": Sort("p.id", "uuid")},
    expressions={
        "related_name": f"""(
            SELECT r.name FROM customer r JOIN organisation_unit ru ON ru.code = r.unit_code
            WHERE r.id = p.related_id AND starts_with(ru.path, {SCOPE}))"""
    },
    private={"phone": MediumKind.PHONE},
    personal={"person_name": third_party_name},
    holder=CustomerKind.INDIVIDUAL,
    check=_check,
    refusals={"tie_related_key": lambda: HeldAlready("tie", "/related_id")},
)
