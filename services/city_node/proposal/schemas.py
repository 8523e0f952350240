"""What is sent about proposals, and answered."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.city_node.customer.models import CustomerKind
from services.city_node.customer.representations import FieldChange
from services.city_node.customer.schemas import Body, Prose
from services.city_node.proposal.models import ProposalState, SensitiveName


class Rejection(Body):
    """Why a proposal does not take effect."""

    reason: Prose = Field(examples=["the copy of the identity card is unreadable"])


class ProposalOut(BaseModel):
    """What somebody proposes to change about a customer."""

    id: UUID
    customer_id: UUID
    state: ProposalState
    changes: list[FieldChange]
    seen_version: int = Field(description="The customer's version when it was proposed.")
    proposed_at: datetime
    proposed_by: str
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    version: int


class ProposalPage(BaseModel):
    """A page of proposals, the oldest first."""

    items: list[ProposalOut]
    next: str | None
    count: int | None = None


class SensitiveFieldSet(Body):
    """Whether a field is sensitive."""

    sensitive: bool


class SensitiveFieldOut(BaseModel):
    """Whether a field of a kind of customer needs a second person."""

    kind: CustomerKind
    field: SensitiveName
    sensitive: bool
    version: int
    updated_at: datetime
    updated_by: str


class SensitiveFieldPage(BaseModel):
    """A page of the fields that may be sensitive."""

    items: list[SensitiveFieldOut]
    next: str | None
    count: int | None = None
