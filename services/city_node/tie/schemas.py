"""Ties as they are taken and answered."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.schemas import Body, Line, Phone, Prose
from services.city_node.tie.models import TieKind
from shared.kernel.language import Text
from shared.kernel.wording import Unfit


class TieCreate(Body):
    """A tie to another customer, or to a named person."""

    kind: TieKind = Field(description="What the other one is to the customer.")
    related_id: UUID | None = Field(default=None, description="Another customer.")
    person_name: Line | None = Field(default=None, description="Or somebody who is none.")
    phone: Phone | None = Field(default=None, description="The named person's.")
    note: Prose | None = None

    @model_validator(mode="after")
    def _to_one(self) -> Self:
        if (self.related_id is None) == (self.person_name is None):
            raise Unfit(
                Text(
                    "give either related_id or person_name",
                    "related_id 与 person_name 须填写且只能填写其一",
                )
            )
        if self.related_id is not None and self.phone is not None:
            raise Unfit(
                Text(
                    "a customer's telephone is among the customer's own contacts",
                    "客户本人的电话在其联系方式中，不在此填写",
                )
            )
        return self


class TieOut(BaseModel):
    """A tie; the names of customers outside the reader's unit are left out."""

    id: UUID
    kind: TieKind
    related_id: UUID | None
    related_name: str | None
    person_name: str | None
    phone: str | None
    note: str | None
