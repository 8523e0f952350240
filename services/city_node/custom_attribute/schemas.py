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
from shared.kernel.language import Text
from shared.kernel.wording import Unfit


def _printable(value: str) -> str:
    if not value.isprintable():
        raise Unfit(Text("contains a control character", "含有控制字符"))
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
            raise Unfit(
                Text(
                    "an enum needs choices, and nothing else has them",
                    "枚举类型须填写 choices，其他类型不得填写",
                )
            )
        if self.choices is not None and len(set(self.choices)) < len(self.choices):
            raise Unfit(Text("a choice is given twice", "选项重复"))
        if self.type not in _NUMERIC and (self.minimum, self.maximum) != (None, None):
            raise Unfit(
                Text(
                    "only numbers have a minimum and a maximum",
                    "只有数字类型可填写 minimum 和 maximum",
                )
            )
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise Unfit(Text("minimum lies above maximum", "minimum 大于 maximum"))
        if self.type is not AttributeType.TEXT and self.max_length is not None:
            raise Unfit(Text("only a text has a max_length", "只有文本类型可填写 max_length"))
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
