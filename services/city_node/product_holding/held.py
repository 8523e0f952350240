"""Product holdings as something that customers hold."""

from typing import Annotated, Any

from fastapi import Query

from services.city_node.held.declaration import Held
from services.city_node.held.problems import HeldAlready
from services.city_node.product_holding.models import ProductCategory, ProductHolding
from services.city_node.product_holding.schemas import ProductHoldingCreate, ProductHoldingOut
from shared.kernel.listing import Sort


async def _filters(
    category: ProductCategory | None = None,
    present: Annotated[bool | None, Query(description="Held with no end known.")] = None,
) -> dict[str, Any]:
    return {"category": category, "present": present}


products = Held(
    name="products",
    title="product holding",
    model=ProductHolding,
    body=ProductHoldingCreate,
    out=ProductHoldingOut,
    sorts={"since": Sort("p.since", "date")},
    shown=50,
    refusals={
        "product_holding_present_key": lambda: HeldAlready("product holding", "/product_code")
    },
    filters=_filters,
    conditions={"category": "p.category = {}", "present": "(p.until IS NULL) = {}"},
)
