"""The catalogue of departures as it is taken and answered."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.city_node.customer.schemas import Body, Line
from shared.kernel.language import Text
from shared.kernel.wording import Unfit

Word = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"), Field(examples=["price"])
]
Days = Annotated[int, Field(ge=0, le=36_500)]


class _Patch(Body):
    """What is absent stays; only a retention period may be emptied, and is then the node's setting."""

    name_zh: Line | None = None
    name_en: Line | None = None
    active: bool | None = None

    @model_validator(mode="after")
    def _not_emptied(self) -> Self:
        for name in {"name_zh", "name_en", "active"} & self.model_fields_set:
            if getattr(self, name) is None:
                raise Unfit(
                    Text(
                        "{name} cannot be empty: leave it out to keep it",
                        "{name} 不能为空：如不修改，请不要填写",
                    ),
                    name=name,
                )
        return self


class DepartureReasonCreate(Body):
    """A new reason."""

    code: Word
    name_zh: Line
    name_en: Line
    individual_retention_days: Days | None = Field(
        default=None, description="Days from leaving to erasure; the node's setting without it."
    )
    group_retention_days: Days | None = None
    active: bool = True


class DepartureReasonPatch(_Patch):
    """What changes about a reason."""

    individual_retention_days: Days | None = None
    group_retention_days: Days | None = None


class DepartureReasonOut(BaseModel):
    """A reason why customers leave."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    name_zh: str
    name_en: str
    individual_retention_days: int | None
    group_retention_days: int | None
    active: bool
    version: int
    updated_at: datetime
    updated_by: str


class DepartureReasonList(BaseModel):
    """The reasons of this node."""

    items: list[DepartureReasonOut]


class CompetitorCreate(Body):
    """A new competitor."""

    code: Word
    name_zh: Line
    name_en: Line
    active: bool = True


class CompetitorPatch(_Patch):
    """What changes about a competitor."""


class CompetitorOut(BaseModel):
    """Another operator that customers go to."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    name_zh: str
    name_en: str
    active: bool
    version: int
    updated_at: datetime
    updated_by: str


class CompetitorList(BaseModel):
    """The competitors of this node."""

    items: list[CompetitorOut]
