"""Uses of competitors' products as they are taken and answered."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.schemas import Body, Day, Fen, Line, Prose
from services.city_node.product_holding.models import ProductCategory
from shared.kernel.language import Text
from shared.kernel.wording import Unfit


class CompetitorUseCreate(Body):
    """A service that the customer has from another operator."""

    operator: Line = Field(examples=["中国联通"])
    category: ProductCategory
    product: Line | None = None
    share_percent: Annotated[
        int | None,
        Field(ge=0, le=100, description="Of what the customer spends on such services."),
    ] = None
    monthly_fee_fen: Fen | None = None
    since: Day | None = None
    until: Day | None = None
    expires_on: Annotated[
        Day | None, Field(description="When the customer's contract there ends.")
    ] = None
    note: Prose | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and (self.since is None or self.until <= self.since):
            raise Unfit(
                Text(
                    "until needs since, and must lie after it",
                    "填写 until 时须填写 since，且 until 必须晚于 since",
                )
            )
        return self


class CompetitorUseOut(BaseModel):
    """A service that a customer has from another operator."""

    id: UUID
    operator: str
    category: ProductCategory
    product: str | None
    share_percent: int | None
    monthly_fee_fen: int | None
    since: date | None
    until: date | None
    expires_on: date | None
    note: str | None
