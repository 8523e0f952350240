"""What is sent about evaluations, and answered."""

from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.schemas import Body
from services.city_node.evaluation.models import Scope
from shared.kernel.language import Text


class TextOut(BaseModel):
    """A sentence in both languages."""

    en: str
    zh: str

    @classmethod
    def of(cls, text: Text) -> Self:
        """Return ``text`` as it is answered."""
        return cls(en=text.en, zh=text.zh)


class ResultPage(BaseModel):
    """A page of results."""

    items: list[dict[str, Any]]
    next: str | None
    count: int | None = None


class StandingOut(BaseModel):
    """How a customer stands by a rule: the result that holds, and what the facts of this moment give."""

    customer_id: UUID
    result: dict[str, Any] | None = Field(
        description="The result that holds, with its explanation; nothing before the first evaluation."
    )
    now: dict[str, Any] | None = Field(
        description="What an evaluation would find now; nothing for a customer who left."
    )
    differs: bool = Field(description="Whether the two have different outcomes.")
    next: list[TextOut] = Field(description="What the customer would need for better.")


class EvaluationAsk(Body):
    """An evaluation to be done."""

    scope: Scope = Field(
        default=Scope.CHANGED,
        description="`changed`: those whose facts changed since the last one; `city`: everybody.",
    )


class EvaluationOut(BaseModel):
    """What was evaluated."""

    id: UUID
    rule: str
    scope: Scope
    as_of: date
    policy: str
    customers: int
    changed: int
    at: datetime
    by: str


class EvaluationPage(BaseModel):
    """A page of evaluations."""

    items: list[EvaluationOut]
    next: str | None
    count: int | None = None


class TrialAsk(Body):
    """A draft to be tried."""

    draft: dict[str, Any] = Field(
        description="What would be published: a merge patch (RFC 7396) of an override, or HQ's whole document.",
        examples=[{"thresholds": {"gold_fen": 80000}}],
    )
    publisher: str | None = Field(
        default=None,
        pattern="^[0-9]{6}$",
        description="Division code of who would publish it; this node without it.",
    )


class TrialLine(BaseModel):
    """Customers of a unit who would go from one result to another."""

    unit_code: str
    was_label: str | None = Field(description="Nothing for those without a result.")
    label: str
    customers: int
    was_cost_fen: int
    cost_fen: int


class TrialOut(BaseModel):
    """A dry run: what a draft would give. `GET /works/{id}` follows it."""

    id: UUID
    rule: str
    draft: dict[str, Any]
    publisher: str
    document: dict[str, Any] | None = Field(description="What would be in force.")
    as_of: date
    policy: str | None = Field(description="What is in force.")
    unit_code: str
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    summary: list[TrialLine] | None


class TrialPage(BaseModel):
    """A page of dry runs."""

    items: list[TrialOut]
    next: str | None
    count: int | None = None


class TrialChangeOut(BaseModel):
    """A customer who would have another result."""

    customer_id: UUID
    customer_number: str | None
    unit_code: str
    was_label: str | None
    label: str
    was_cost_fen: int
    cost_fen: int
    used: dict[str, Any]


class TrialChangePage(BaseModel):
    """A page of customers who would have another result."""

    items: list[TrialChangeOut]
    next: str | None
    count: int | None = None
