"""Declarations as they are taken and answered."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)

from services.city_node.custom_attribute.models import AppliesTo, AttributeType


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("contains a control character")
    return value


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60, pattern=r"^[^/]+$"),
    AfterValidator(_printable),
]
Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_printable),
]
_NUMERIC = {AttributeType.NUMBER, AttributeType.INTEGER}


class CustomAttributeWrite(BaseModel):
    """What an attribute may hold."""

    model_config = ConfigDict(extra="forbid")

    type: AttributeType
    applies_to: AppliesTo = AppliesTo.BOTH
    label_zh: Label = Field(examples=["合同经办人"])
    label_en: Label = Field(examples=["Contract clerk"])
    choices: Annotated[list[Label], Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="For `enum`: the values it may have."
    )
    minimum: FiniteFloat | None = Field(default=None, description="For numbers.")
    maximum: FiniteFloat | None = Field(default=None, description="For numbers.")
    max_length: Annotated[int, Field(ge=1, le=4000)] | None = Field(
        default=None, description="For `text`."
    )

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type is AttributeType.ENUM) != (self.choices is not None):
            raise ValueError("an enum needs choices, and nothing else has them")
        if self.choices is not None and len(set(self.choices)) < len(self.choices):
            raise ValueError("a choice is given twice")
        if self.type not in _NUMERIC and (self.minimum, self.maximum) != (None, None):
            raise ValueError("only numbers have a minimum and a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum lies above maximum")
        if self.type is not AttributeType.TEXT and self.max_length is not None:
            raise ValueError("only a text has a max_length")
        return self


class CustomAttributeOut(BaseModel):
    """A declared attribute."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    type: AttributeType
    applies_to: AppliesTo
    label_zh: str
    label_en: str
    choices: list[str] | None
    minimum: float | None
    maximum: float | None
    max_length: int | None
    version: int
    updated_at: datetime
    updated_by: str


class CustomAttributeList(BaseModel):
    """Every declared attribute, by name."""

    items: list[CustomAttributeOut]
