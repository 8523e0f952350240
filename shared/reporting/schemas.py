"""What goes over the wire: the board, months and their proposals, restatements, and what cities confirm."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from shared.reporting.models import Act, ProposalState, ReportingProposal, ReportingStatement
from shared.statistics.period import Period

State = Literal[
    "awaited", "on_time", "late", "missing", "final", "restated", "pending", "differing"
]
RestatementState = Literal["pending", "approved", "rejected", "superseded"]
Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x08\x0e-\x1f]*$"
    ),
]


def _period(given: str) -> str:
    return str(Period.parse(given))


class ConfirmationMessage(BaseModel):
    """Payload of a confirmation: revision and hash, by dataset, of what still holds after the period's end."""

    period: Annotated[str, AfterValidator(_period)]
    slices: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")],
        tuple[Annotated[int, Field(ge=1)], Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]],
    ]
    counted_at: AwareDatetime

    def rows(self, node: str, *, received_at: datetime) -> list[dict[str, Any]]:
        """Return the rows that keep it."""
        return [
            {
                "period": self.period,
                "node": node,
                "dataset": dataset,
                "revision": revision,
                "hash": hash_,
                "counted_at": self.counted_at,
                "received_at": received_at,
            }
            for dataset, (revision, hash_) in self.slices.items()
        ]


class SummaryOut(BaseModel):
    """What became of a dataset in a period."""

    dataset: str = Field(examples=["customer"])
    expected: int = Field(description="Cities that were there at the period's end.", examples=[340])
    received: int = Field(description="Of them, those whose last word is here.", examples=[338])
    on_time: int
    late: int
    awaited: int = Field(description="Not here, and not due yet.")
    missing: int = Field(description="Not here, and overdue.", examples=[2])
    final: int = Field(description="In force, and the month is closed.")
    restated: int = Field(description="Changed since they were received.")
    pending: int = Field(description="With a restatement that waits for a decision.")
    differing: int = Field(description="Of which two nodes, or register and facts, differ.")


class SliceStateOut(BaseModel):
    """What became of one slice that was expected."""

    dataset: str = Field(examples=["customer"])
    node: str = Field(examples=["440300"])
    state: Literal["awaited", "on_time", "late", "missing"]
    revision: int | None = Field(
        description="The revision in force; it may be from before the end."
    )
    received_at: AwareDatetime | None = Field(description="When the last word on it came here.")
    reason: str | None = Field(description="Why that revision replaced the one before.")
    final: bool
    restated: bool
    pending: int | None = Field(description="The revision that waits for a decision.")
    rejected: int | None = Field(description="The newest revision, if it was rejected.")
    differences: int


class BoardOut(BaseModel):
    """The board of a period."""

    period: str = Field(examples=["2026-10"])
    region: str = Field(examples=["000000"])
    due_at: AwareDatetime = Field(
        description="When its slices are due, by HQ's policy `reporting`."
    )
    cities: int = Field(description="Cities from which figures are expected.")
    summary: list[SummaryOut] = Field(description="By dataset.")
    slices: list[SliceStateOut] | None = Field(
        default=None, description="Each that is expected; left out with `slices=false`."
    )


class ProposalIn(BaseModel):
    """Why a month is to be closed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    reason: Reason | None = Field(
        default=None, description="Needed while slices are missing: why it is closed without them."
    )


class ReasonIn(BaseModel):
    """Why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "billing system was corrected"}]}
    )

    reason: Reason


class DecisionIn(BaseModel):
    """Why, if that is to be said."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    reason: Reason | None = None


class ProposalOut(BaseModel):
    """A proposal to close or reopen a month."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    month: str = Field(examples=["2026-10"])
    act: Act
    reason: str | None
    state: ProposalState
    proposed_by: str
    proposed_at: AwareDatetime
    decided_by: str | None
    decided_at: AwareDatetime | None
    decision_reason: str | None
    version: int = Field(description="What `If-Match` speaks of.")


class MonthOut(BaseModel):
    """Whether a month is closed, as far as this node has heard."""

    month: str = Field(examples=["2026-10"])
    state: Literal["open", "closed"]
    number: int = Field(description="Of HQ's last act on it; 0 without any.")
    by: str | None = Field(description="Who closed or reopened it last.")
    at: AwareDatetime | None
    reason: str | None
    proposal: ProposalOut | None = Field(description="What waits for a second person; at HQ alone.")

    @classmethod
    def of(
        cls, month: str, act: ReportingStatement | None, proposal: ReportingProposal | None
    ) -> Self:
        """Return what is known of a month."""
        return cls(
            month=month,
            state="closed" if act is not None and act.kind == "closed" else "open",
            number=act.number if act else 0,
            by=act.said_by if act else None,
            at=act.said_at if act else None,
            reason=act.reason if act else None,
            proposal=None if proposal is None else ProposalOut.model_validate(proposal),
        )


class InForceOut(BaseModel):
    """What counts in the place of a restatement."""

    revision: int
    hash: str
    control_totals: dict[str, int] | None = Field(
        description="`null` where HQ's policy `disclosure` withholds small cells."
    )


class RestatementOut(BaseModel):
    """A revision that came after the close of its month."""

    id: int = Field(description="Its number at this node.")
    node: str = Field(examples=["440300"])
    dataset: str = Field(examples=["revenue"])
    period: str = Field(examples=["2026-10"])
    revision: int = Field(examples=[3])
    hash: str
    row_count: int
    control_totals: dict[str, int] | None = Field(
        description="`null` where HQ's policy `disclosure` withholds small cells."
    )
    reason: str | None = Field(
        description="Why the city counted otherwise.", examples=["late data"]
    )
    computed_at: AwareDatetime
    received_at: AwareDatetime
    closing: int = Field(description="Number of the act that closed the month.")
    state: RestatementState
    in_force: InForceOut | None
    decided_at: AwareDatetime | None
    decided_by: str | None
    decided_at_node: str | None
    decision_reason: str | None


class RestatementPage(BaseModel):
    """A page of restatements."""

    items: list[RestatementOut]
    next: str | None
    count: int | None = None
