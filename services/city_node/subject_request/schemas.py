"""People's requests as they are taken and answered."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.schemas import Body, Day, Prose
from services.city_node.subject_request.models import SubjectRequestKind


class SubjectRequestCreate(Body):
    """A new request."""

    customer_id: UUID
    kind: SubjectRequestKind
    details: Prose | None = Field(default=None, description="What the person said.")
    received_on: Annotated[
        Day | None, Field(description="The deadline counts from it; today without it.")
    ] = None


class Verification(Body):
    """How the identity was checked."""

    identity_check: Prose = Field(
        description="Which document was seen by whom, or which proof of authority of who speaks for the person.",
        examples=["本人到厅，核验居民身份证原件"],
    )


class Note(Body):
    """What is to be said with a move."""

    note: Prose | None = None


class Refusal(Body):
    """Why a request is refused."""

    code: str = Field(max_length=60, examples=["active_contract"])
    note: Prose | None = None


class TrailOut(BaseModel):
    """One line of a request's trail."""

    at: datetime
    by: str
    event: str
    state: str
    note: str | None


class SubjectRequestOut(BaseModel):
    """A person's request."""

    id: UUID
    customer_id: UUID
    kind: SubjectRequestKind
    state: str
    details: str | None
    identity_check: str | None
    received_on: date
    deadline: date
    refusal_code: str | None
    proposed_by: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    ended_at: datetime | None
    version: int


class SubjectRequestWithTrail(SubjectRequestOut):
    """A person's request with what happened to it."""

    trail: list[TrailOut]
    proposal_path: str | None = Field(
        description="For a correction: where the customer's data is changed."
    )


class SubjectRequestPage(BaseModel):
    """A page of requests."""

    items: list[SubjectRequestOut]
    next: str | None
    count: int | None = None


class RefusalOut(BaseModel):
    """A reason why a request may be refused."""

    code: str
    zh: str
    en: str


class RefusalList(BaseModel):
    """The reasons why a request may be refused."""

    items: list[RefusalOut]
