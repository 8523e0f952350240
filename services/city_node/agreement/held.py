"""Agreements as something that customers hold."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Query

from services.city_node.agreement.models import Agreement, AgreementKind
from services.city_node.agreement.schemas import AgreementCreate, AgreementOut
from services.city_node.held.declaration import Held
from services.city_node.held.problems import HeldAlready
from shared.kernel.clock import business_day
from shared.kernel.edge import Now
from shared.kernel.listing import Sort


async def filters(
    now: Now,
    kind: AgreementKind | None = None,
    expiring_within: Annotated[
        int | None,
        Query(ge=0, le=3650, description="In force today, and not any more after so many days."),
    ] = None,
    auto_renews: bool | None = None,  # noqa: FBT001 - a flag in the query
) -> dict[str, Any]:
    """Return the filters of a list of agreements."""
    today = business_day(now)
    last = None if expiring_within is None else today + timedelta(days=expiring_within)
    return {
        "kind": kind,
        "in_force_after": None if last is None else today,
        "expires_by": last,
        "auto_renews": auto_renews,
    }


agreements = Held(
    name="agreements",
    title="agreement",
    model=Agreement,
    body=AgreementCreate,
    out=AgreementOut,
    sorts={
        "expires_on": Sort("coalesce(p.expires_on, 'infinity')", "date"),
        "starts_on": Sort("p.starts_on", "date"),
    },
    expressions={"customer_number": "c.customer_number", "customer_name": "c.name"},
    refusals={"agreement_number_key": lambda: HeldAlready("agreement", "/number")},
    filters=filters,
    conditions={
        "kind": "p.kind = {}",
        "in_force_after": "p.expires_on > {}",
        "expires_by": "p.expires_on <= {}",
        "auto_renews": "p.auto_renews = {}",
    },
)
