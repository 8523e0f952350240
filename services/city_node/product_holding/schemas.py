"""Product holdings as they are taken and answered."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.schemas import Body, Day, Fen, Line
from services.city_node.product_holding.models import ProductCategory
from shared.kernel.language import Text
from shared.kernel.wording import Unfit


class ProductHoldingCreate(Body):
    """A product that the customer holds."""

    product_code: Line = Field(examples=["DIA-100M"])
    name: Line = Field(examples=["互联网专线 100M"])
    category: ProductCategory
    quantity: Annotated[int, Field(ge=1, le=10**9)] = 1
    monthly_fee_fen: Fen | None = None
    since: Day
    until: Annotated[Day | None, Field(description="First day on which it is no longer held.")] = (
        None
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise Unfit(Text("until must lie after since", "until 必须晚于 since"))
        return self


class ProductHoldingOut(BaseModel):
    """A product that a customer holds or held."""

    id: UUID
    product_code: str
    name: str
    category: ProductCategory
    quantity: int
    monthly_fee_fen: int | None
    since: date
    until: date | None
