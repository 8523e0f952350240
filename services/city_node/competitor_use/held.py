"""Uses of competitors' products as something that customers hold."""

from typing import Any

from sqlalchemy import func, select

from services.city_node.competitor_use.models import CompetitorUse
from services.city_node.competitor_use.problems import SharesExceedWhole
from services.city_node.competitor_use.schemas import CompetitorUseCreate, CompetitorUseOut
from services.city_node.customer.models import Customer
from services.city_node.customer.schemas import Line
from services.city_node.customer.service import Desk
from services.city_node.held.declaration import Held
from services.city_node.product_holding.models import ProductCategory
from shared.kernel.listing import Sort

_WHOLE = 100


async def _filters(
    operator: Line | None = None, category: ProductCategory | None = None
) -> dict[str, Any]:
    return {"operator": operator, "category": category}


async def _check(desk: Desk, customer: Customer, row: CompetitorUse) -> None:
    if row.share_percent is None or row.until is not None:
        return
    with desk.session.no_autoflush:
        others = await desk.session.scalar(
            select(func.coalesce(func.sum(CompetitorUse.share_percent), 0)).where(
                CompetitorUse.customer_id == customer.id,
                CompetitorUse.category == row.category,
                CompetitorUse.until.is_(None),
                CompetitorUse.id != row.id,
            )
        )
    if (others or 0) + row.share_percent > _WHOLE:
        raise SharesExceedWhole(row.category, _WHOLE - int(others or 0))


competitor_uses = Held(
    name="competitor_use",
    title="use of a competitor's product",
    model=CompetitorUse,
    body=CompetitorUseCreate,
    out=CompetitorUseOut,
    sorts={"id": Sort("p.id", "uuid")},
    check=_check,
    filters=_filters,
    conditions={"operator": "p.operator = {}", "category": "p.category = {}"},
)
