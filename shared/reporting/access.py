"""Who closes months and decides restatements, and what of it the audit log keeps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.access import Principal, require
from shared.audit import Actor
from shared.capability import Action, Conflict, Context, Permission, Role
from shared.federation.post import PostOffice
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text
from shared.kernel.settings import HQ_CODE
from shared.reporting.problems import OnlyHqCloses

READ = "statistics:read"
PROPOSE = "statistics_month:propose"
DECIDE = "statistics_month:decide"
RESTATEMENT = "restatement:decide"

permissions = (
    Permission(
        PROPOSE,
        Text("propose to close or reopen a month's statistics", "申请月度统计结账或反结账"),
        frozenset({Role.HQ_ANALYST}),
    ),
    Permission(
        DECIDE,
        Text(
            "close or reopen a month's statistics as another proposed", "审批他人的结账或反结账申请"
        ),
        frozenset({Role.HQ_ANALYST}),
    ),
    Permission(
        RESTATEMENT,
        Text("approve or reject restatements of closed months", "审批已结账月份的统计重述"),
        frozenset({Role.PROVINCE_COORDINATOR, Role.HQ_ANALYST}),
    ),
)

conflicts = (
    Conflict(
        frozenset({PROPOSE}),
        frozenset({DECIDE}),
        Text("who proposed to close a month does not close it", "结账申请与审批不得为同一人"),
        of_one_change=True,
    ),
)

PROPOSED = Action(
    "statistics_month.proposed",
    Text("proposed to close or reopen a month", "申请结账或反结账"),
)
CLOSED = Action("statistics_month.closed", Text("closed a month", "结账"))
REOPENED = Action("statistics_month.reopened", Text("reopened a month", "反结账"))
REJECTED = Action(
    "statistics_month.rejected",
    Text("rejected a proposal to close or reopen a month", "驳回结账或反结账申请"),
)
WITHDRAWN = Action(
    "statistics_month.withdrawn",
    Text("took back a proposal to close or reopen a month", "撤回结账或反结账申请"),
)
RESTATEMENT_APPROVED = Action("restatement.approved", Text("approved a restatement", "批准重述"))
RESTATEMENT_REJECTED = Action("restatement.rejected", Text("rejected a restatement", "驳回重述"))

actions = (
    *(PROPOSED, CLOSED, REOPENED, REJECTED, WITHDRAWN),
    *(RESTATEMENT_APPROVED, RESTATEMENT_REJECTED),
)

Reader = Annotated[Principal, Depends(require(READ))]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody proposes or decides, in one transaction."""

    session: AsyncSession
    post: PostOffice
    name: str
    person: UUID | None
    """``None`` for an operator at the command line."""
    actor: Actor
    now: datetime

    @property
    def here(self) -> str:
        """Division code of the node."""
        return self.post.code

    def record(self, action: Action, kind: str, subject: object, **detail: Any) -> None:
        """Leave a record in the audit log."""
        audit.record(
            self.session, self.actor, action, at=self.now, subject=(kind, subject), detail=detail
        )


def _desk(principal: Principal, session: Transaction, context: Context, now: Now) -> Desk:
    return Desk(session, context.post, principal.username, principal.id, Actor.of(principal), now)


def _hq_desk(principal: Principal, session: Transaction, context: Context, now: Now) -> Desk:
    here = context.settings.code
    if here != HQ_CODE or principal.unit != HQ_CODE:
        raise OnlyHqCloses(here=here, unit=principal.unit)
    return _desk(principal, session, context, now)


async def proposing_desk(
    principal: Annotated[Principal, Depends(require(PROPOSE))],
    session: Transaction,
    context: Context,
    now: Now,
) -> Desk:
    """Return where the caller proposes acts on months, in the request's transaction."""
    return _hq_desk(principal, session, context, now)


async def deciding_desk(
    principal: Annotated[Principal, Depends(require(DECIDE))],
    session: Transaction,
    context: Context,
    now: Now,
) -> Desk:
    """Return where the caller decides acts on months, in the request's transaction."""
    return _hq_desk(principal, session, context, now)


async def restatement_desk(
    principal: Annotated[Principal, Depends(require(RESTATEMENT))],
    session: Transaction,
    context: Context,
    now: Now,
) -> Desk:
    """Return where the caller decides restatements, in the request's transaction."""
    return _desk(principal, session, context, now)


AtProposingDesk = Annotated[Desk, Depends(proposing_desk)]
AtDecidingDesk = Annotated[Desk, Depends(deciding_desk)]
AtRestatementDesk = Annotated[Desk, Depends(restatement_desk)]
