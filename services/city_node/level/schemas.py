"""What is sent about levels, and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.city_node.customer.models import Level
from services.city_node.customer.schemas import Body, Code, Day, Prose
from services.city_node.level.models import AppointmentState, Basis, ReviewState


class KeyLevel(StrEnum):
    """A level that can be granted."""

    DIAMOND = "diamond"
    GOLD = "gold"
    SILVER = "silver"


class AppointmentCreate(Body):
    """A level to be granted."""

    level: KeyLevel
    reason: Prose = Field(examples=["市重点企业负责人"])
    since: Day | None = Field(default=None, description="First day; today without it.")
    until: Day = Field(description="First day on which it holds no longer.")


class Note(Body):
    """Why something is rejected, or ended before its time."""

    note: Prose


class AppointmentOut(BaseModel):
    """A level by appointment."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    customer_id: UUID
    level: Level
    reason: str
    since: date
    until: date
    state: AppointmentState
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    note: str | None
    version: int


class AppointmentPage(BaseModel):
    """A page of appointments."""

    items: list[AppointmentOut]
    next: str | None
    count: int | None = None


class ReviewCreate(Body):
    """A review to be drawn up."""

    unit_code: Code | None = Field(
        default=None, description="Of whose customers, with units below; the caller's without it."
    )


class LeaveOut(Body):
    """Customers who keep the level that they hold."""

    customers: Annotated[list[UUID], Field(min_length=1, max_length=500)]
    reason: Prose | None = Field(
        description="Why; `null` puts them back on the list.", examples=["合同谈判中"]
    )


class ReviewOut(BaseModel):
    """A review of levels."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    unit_code: str
    state: ReviewState
    as_of: date
    policy: str
    line_count: int
    applied_count: int
    skipped_count: int = Field(description="Customers who held another level by then, or had left.")
    created_at: datetime
    created_by: str
    approved_at: datetime | None
    approved_by: str | None
    finished_at: datetime | None
    work_id: UUID | None = Field(description="The work that applies it: `GET /works/{id}`.")
    version: int


class ReviewPage(BaseModel):
    """A page of reviews."""

    items: list[ReviewOut]
    next: str | None
    count: int | None = None


class ReviewLineOut(BaseModel):
    """A customer who is to hold another level."""

    customer_id: UUID
    customer_number: str | None
    unit_code: str
    from_level: Level
    to_level: Level
    basis: Basis
    left_out_by: str | None
    left_out_reason: str | None
    done: bool | None


class ReviewLinePage(BaseModel):
    """A page of a review's list."""

    items: list[ReviewLineOut]
    next: str | None
    count: int | None = None


class MigrationOut(BaseModel):
    """Moves from a level to another in a month."""

    month: date
    from_level: Level
    to_level: Level
    customers: int


class MigrationsOut(BaseModel):
    """How levels moved."""

    items: list[MigrationOut]
