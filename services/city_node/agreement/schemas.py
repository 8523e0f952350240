"""Agreements as they are taken and answered."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.agreement.models import AgreementKind
from services.city_node.customer.schemas import Body, Day, Fen, Line, Prose
from shared.kernel.language import Text
from shared.kernel.wording import Unfit


class AgreementCreate(Body):
    """An agreement."""

    number: Line = Field(examples=["GZ-2026-0117"])
    kind: AgreementKind = AgreementKind.SERVICE
    title: Line
    signed_on: Day | None = None
    starts_on: Day
    expires_on: Annotated[
        Day | None, Field(description="First day on which it is no longer in force.")
    ] = None
    auto_renews: bool = False
    renewal_months: Annotated[int | None, Field(ge=1, le=120)] = None
    notice_days: Annotated[int | None, Field(ge=0, le=730)] = None
    amount_fen: Fen | None = None
    note: Prose | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.expires_on is not None and self.expires_on <= self.starts_on:
            raise Unfit(
                Text("expires_on must lie after starts_on", "expires_on 必须晚于 starts_on")
            )
        if self.auto_renews and (self.expires_on is None or self.renewal_months is None):
            raise Unfit(
                Text(
                    "an agreement that renews itself needs expires_on and renewal_months",
                    "自动续约的协议须填写 expires_on 和 renewal_months",
                )
            )
        return self


class AgreementOut(BaseModel):
    """An agreement with a customer."""

    id: UUID
    customer_id: UUID
    customer_number: str
    customer_name: str
    number: str
    kind: AgreementKind
    title: str
    signed_on: date | None
    starts_on: date
    expires_on: date | None
    auto_renews: bool
    renewal_months: int | None
    notice_days: int | None
    amount_fen: int | None
    note: str | None
