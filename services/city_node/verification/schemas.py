"""What is sent about verification, and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.models import Level
from services.city_node.customer.schemas import Body, Prose
from services.city_node.verification.models import Reason, TaskState


class Outcome(StrEnum):
    """What came of a task."""

    VERIFIED = TaskState.VERIFIED.value
    CORRECTED = TaskState.CORRECTED.value
    UNREACHABLE = TaskState.UNREACHABLE.value


class Grouping(StrEnum):
    """What completed tasks are counted by."""

    UNIT = "unit"
    MANAGER = "manager"


class TaskClose(Body):
    """What came of a task."""

    outcome: Outcome
    note: Prose | None = None


class Bounce(Body):
    """How a contact medium failed."""

    note: Prose | None = Field(default=None, examples=["the number is not in use"])


class DaysSet(Body):
    """After how many days a profile is stale."""

    days: Annotated[int, Field(ge=1, le=36500)] | None = Field(
        description="`null` if profiles of the level are never stale."
    )


class RuleOut(BaseModel):
    """After how many days profiles of a level are stale."""

    level: Level
    days: int | None
    version: int
    updated_at: datetime
    updated_by: str


class RulePage(BaseModel):
    """A page of rules."""

    items: list[RuleOut]
    next: str | None
    count: int | None = None


class TaskOut(BaseModel):
    """Somebody is to verify a profile."""

    id: UUID
    customer_id: UUID
    reason: Reason
    state: TaskState
    due_on: date
    created_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    note: str | None
    version: int
    customer_number: str
    name: str
    level: Level
    unit_code: str
    manager_id: UUID | None


class TaskPage(BaseModel):
    """A page of tasks, the most urgent first."""

    items: list[TaskOut]
    next: str | None
    count: int | None = None


class TaskCounts(BaseModel):
    """Tasks of a unit or manager."""

    group: str | None = Field(
        description="Code of the unit, or id of the manager; none without one."
    )
    open: int
    overdue: int
    verified: int
    corrected: int
    unreachable: int
    in_time: int = Field(description="Of those closed, by their due day.")


class TaskStatistics(BaseModel):
    """Tasks by unit or manager: open now, and closed in the period."""

    items: list[TaskCounts]
