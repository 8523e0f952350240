"""Queries over the wire."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.customer.representations import CustomerOut
from shared.kernel.listing import MAX_PAGE

ConditionForm = str | dict[str, Any]
EXAMPLE = "level in (gold, diamond) and charge(last 3 months) > 300 yuan"


def condition_field(**given: Any) -> Any:
    """Return the declaration of a condition in either form."""
    return Field(
        description="A condition: its text form, or its JSON form. `docs/query.md` explains both.",
        examples=[
            EXAMPLE,
            {"field": "level", "operator": "in", "value": ["gold", "diamond"]},
        ],
        **given,
    )


class QueryIn(BaseModel):
    """Which customers, and what of them."""

    model_config = ConfigDict(extra="forbid")

    condition: ConditionForm | None = condition_field(default=None)
    fields: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Fields to return; all without it.",
        examples=[["id", "name", "level"]],
    )
    sort: str | None = Field(
        default=None,
        description="Field to sort by, `-` before it for descending.",
        examples=["-monthly_charge_fen"],
    )
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, description="The `next` of the page before.")
    count: bool = Field(default=False, description="Whether to count all of them, which costs.")
    explain: bool = Field(
        default=False, description="Whether to say how the condition was understood and answered."
    )


class Explanation(BaseModel):
    """How a condition was understood, and how PostgreSQL answers it."""

    text: str | None = Field(description="The condition in its text form.")
    form: dict[str, Any] | None = Field(description="The condition in its JSON form.")
    today: str = Field(description="The business day of relative dates.")
    estimated_rows: int
    estimated_cost: float
    indexes: list[str]


class QueryPage(BaseModel):
    """A page of the customers that meet a condition."""

    items: list[CustomerOut]
    next: str | None
    count: int | None = None
    explain: Explanation | None = None


class FieldOut(BaseModel):
    """Something that conditions compare."""

    name: str
    label: str
    type: str
    unit: str | None = None
    units: list[str] | None = Field(
        default=None, description="How amounts are written in the text form."
    )
    operators: list[str]
    nullable: bool
    choices: list[str] | None = None
    allowed: bool = Field(description="Whether the caller may ask for it.")


class RelationOut(BaseModel):
    """Things that a customer has: for `has` and `count`."""

    name: str
    label: str
    fields: list[FieldOut]


class CatalogueOut(BaseModel):
    """What conditions may ask about."""

    fields: list[FieldOut]
    attribute: FieldOut = Field(description="Any custom attribute, as `attribute.NAME`.")
    relations: list[RelationOut]
    measures: list[FieldOut] = Field(description="Quantities by month.")
    functions: list[str] = Field(description="What is made of the months of a measure.")
    changed: list[str] = Field(description="Fields for `changed`.")
    sorts: list[str]
    columns: list[str] = Field(description="What a query may return.")
    most_parts: int
    deepest: int


class ConditionIn(BaseModel):
    """A condition to read."""

    model_config = ConfigDict(extra="forbid")

    condition: ConditionForm = condition_field()


class ConditionOut(BaseModel):
    """A condition in both forms."""

    text: str
    form: dict[str, Any]
