"""Interactions as they are taken and answered."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.schemas import Body, Line, Moment, Prose
from services.city_node.interaction.models import Channel, InteractionKind
from shared.kernel.language import Text
from shared.kernel.wording import Unfit


class InteractionCreate(Body):
    """One contact with the customer."""

    at: Annotated[Moment | None, Field(description="When; the present moment without it.")] = None
    channel: Channel
    kind: InteractionKind
    subject: Line = Field(examples=["话费查询"])
    summary: Prose | None = None
    outcome: Prose | None = None
    staff: Line | None = Field(
        default=None, description="Who spoke for the operator; the caller without it."
    )
    source: Line | None = Field(default=None, description="The other system that recorded it.")
    source_key: Line | None = Field(default=None, description="Its record there: noted once.")

    @model_validator(mode="after")
    def _source_whole(self) -> Self:
        if (self.source is None) != (self.source_key is None):
            raise Unfit(
                Text("give source and source_key together", "source 与 source_key 须一并填写")
            )
        return self


class InteractionOut(BaseModel):
    """One contact with a customer."""

    id: UUID
    at: datetime
    channel: Channel
    kind: InteractionKind
    subject: str
    summary: str | None
    outcome: str | None
    staff: str | None
    source: str | None
    source_key: str | None
