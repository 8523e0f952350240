"""What is sent about prospects, and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.models import CustomerKind, Level
from services.city_node.customer.schemas import Body, Prose
from services.city_node.evaluation.models import Scope
from services.city_node.evaluation.schemas import TextOut
from services.city_node.prospect.models import Act, Ending, Outcome, Signal, State


class GivenEnding(StrEnum):
    """Why somebody closes a prospect without success."""

    ONE_OFF = "one_off"
    WRONG_FIGURES = "wrong_figures"
    POOR_CREDIT = "poor_credit"
    NOT_INTERESTED = "not_interested"
    STAYS_WITH_COMPETITOR = "stays_with_competitor"
    UNREACHABLE = "unreachable"
    OTHER = "other"


class Grouping(StrEnum):
    """What statistics are counted by."""

    MONTH = "month"
    UNIT = "unit"
    SIGNAL = "signal"
    TARGET = "target"
    ENDING = "ending"


class Remark(Body):
    """What is to be remembered of an act."""

    note: Prose | None = None


class Closing(Body):
    """Why a prospect is closed."""

    ending: GivenEnding
    note: Prose | None = None


class Assignment(Body):
    """Whose a prospect is to be."""

    manager_id: UUID | None = Field(
        description="A member of staff; `null` for the customer's own manager."
    )


class StepDone(Body):
    """What came of a step."""

    outcome: Outcome
    note: Prose | None = Field(default=None, examples=["客户同意试用一个月"])


class SearchAsk(Body):
    """A search to be made."""

    scope: Scope = Field(
        default=Scope.CHANGED,
        description="`changed`: those whose facts changed since the last one; `city`: everybody.",
    )


class TrialAsk(Body):
    """A draft of the policy to be tried."""

    draft: dict[str, Any] = Field(
        description="What would be published: a merge patch (RFC 7396) of an override, or HQ's whole document.",
        examples=[{"near": {"within_permille": 150}}],
    )
    publisher: str | None = Field(
        default=None,
        pattern="^[0-9]{6}$",
        description="Division code of who would publish it; this node without it.",
    )


class StepOut(BaseModel):
    """A step of a plan."""

    number: int
    code: str
    title_zh: str
    title_en: str
    responsible: Literal["manager", "supervisor"]
    due_on: date
    outcome: Outcome | None
    done_at: datetime | None
    done_by: str | None
    note: str | None


class ProspectOut(BaseModel):
    """A customer who may reach a level."""

    id: UUID
    customer_id: UUID
    customer_number: str
    name: str
    kind: CustomerKind
    level: Level = Field(description="What the customer holds.")
    unit_code: str
    state: State
    target: Level = Field(description="The level to be reached.")
    score: int
    signals: list[Signal] = Field(description="The reasons that hold.")
    used: dict[str, Any] = Field(description="The figures, and what the policies made of them.")
    as_of: date
    policy: str = Field(description="Which versions of the policies of prospects and of levels.")
    found_at: datetime
    manager_id: UUID | None
    assigned: bool = Field(description="Whether somebody gave it to this manager.")
    next_due_on: date | None
    closed_at: datetime | None
    ending: Ending | None
    note: str | None
    version: int


class ProspectWhole(ProspectOut):
    """A prospect with its plan."""

    steps: list[StepOut]
    explanation: TextOut


class ProspectPage(BaseModel):
    """A page of prospects."""

    items: list[ProspectOut]
    next: str | None
    count: int | None = None


class EventOut(BaseModel):
    """One thing that happened to a prospect."""

    at: datetime
    by: str
    act: Act
    from_state: State | None
    to_state: State
    unit_code: str
    target: Level
    score: int
    signals: list[Signal]
    ending: Ending | None
    days: int | None = Field(description="For how many days it was open, when it was closed.")
    policy: str | None
    used: dict[str, Any] | None
    note: str | None


class EventPage(BaseModel):
    """A page of a prospect's history."""

    items: list[EventOut]
    next: str | None
    count: int | None = None


class JudgedOut(BaseModel):
    """What a search would find about a customer now."""

    is_prospect: bool
    target: Level | None
    score: int
    signals: list[Signal]
    used: dict[str, Any]
    policy: str
    explanation: TextOut
    next: list[TextOut] = Field(description="What is missing.")


class StandingOut(BaseModel):
    """Whether a customer is a prospect, and why."""

    customer_id: UUID
    prospect: ProspectWhole | None = Field(description="The one that is open.")
    now: JudgedOut | None = Field(description="Nothing for a customer who left.")


class CountOut(BaseModel):
    """What happened to prospects, in a group."""

    month: str | None = None
    unit: str | None = None
    signal: Signal | None = None
    target: Level | None = None
    ending: str | None = None
    found: int
    qualified: int
    disqualified: int
    nurtured: int
    converted: int
    converted_by_work: int = Field(description="Of them those that somebody had qualified.")
    dropped: int
    lapsed: int
    reopened: int
    conversion_rate: float | None = Field(
        description="Converted by work, of those that were qualified and then converted or dropped."
    )
    mean_days_to_convert: float | None = Field(description="From being found, on average.")


class CountsOut(BaseModel):
    """What happened to prospects."""

    items: list[CountOut]
