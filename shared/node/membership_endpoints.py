"""Who belongs to a node, over HTTP: invite and admit nodes, revoke and retire them, see their keys and its own."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared import audit
from shared.access import Principal, require
from shared.capability import Context
from shared.federation import enrolment, membership
from shared.federation.keys import PublicKey
from shared.federation.models import NodeStatus
from shared.federation.rotation import Stage
from shared.kernel.edge import Now, Transaction
from shared.node.audited import ADMITTED, INVITED, RETIRED, RETIREMENT_PROPOSED, REVOKED
from shared.node.identity import keys_known, standing

router = APIRouter(prefix="/operations")

Code = Annotated[str, Path(pattern=r"^[0-9]{6}$", description="Division code of the node.")]
Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
Reader = Annotated[Principal, Depends(require("operations:read"))]
Inviter = Annotated[Principal, Depends(require("operations:invite"))]
Withdrawer = Annotated[Principal, Depends(require("operations:withdraw"))]
_FINGERPRINT = "lmpx-3c4m-7dqk-2yhb-rn5a-w6zt-ejfg-uo3i-vs7p-qk2d-xa4c-bm6n-tlze"


class InvitationRequest(BaseModel):
    """Which node shall join."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"child": "440300"}})

    child: str = Field(
        pattern=r"^\d{6}$", description="Division code of the node that shall join below this one."
    )
    move: bool = Field(
        default=False, description="Whether it comes from another parent, which it then leaves."
    )


class InvitationAnswer(BaseModel):
    """A one-time code."""

    child: str
    code: str
    valid_hours: float


class EnrolmentOut(BaseModel):
    """A request to join that waits for a second person."""

    child: str
    fingerprint: str = Field(description="Of the key it asked with; its operator reads it out.")
    requested_at: datetime | None
    invited_by: str
    move: bool = Field(description="Whether it comes from another parent.")


class Admission(BaseModel):
    """What the child's operator read out."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"fingerprint": _FINGERPRINT}}
    )

    fingerprint: str = Field(
        max_length=200, description="Fingerprint of the node's key, with or without hyphens."
    )


class Withdrawal(BaseModel):
    """Why a node is revoked or retired."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "Its server was stolen."}}
    )

    reason: Reason


class MemberOut(BaseModel):
    """A node as the registry has it."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "code": "440300",
                "parent": "440000",
                "status": "revoked",
                "reason": "Its server was stolen.",
                "version": 3,
            }
        },
    )

    code: str
    parent: str | None
    status: NodeStatus
    reason: str | None
    version: int


class RetirementOut(BaseModel):
    """A proposal to retire a node."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None = Field(description="The second person; null until then.")
    approved_at: datetime | None


class KeyOut(BaseModel):
    """A key of a node of the registry."""

    node: str
    parent: str | None
    status: NodeStatus
    reason: str | None
    fingerprint: str
    valid_from: datetime | None
    expires_at: datetime | None = Field(
        description="When it is warned of; a key that has a successor ends then."
    )
    accepted: bool = Field(description="Whether what it signs is believed at this moment.")
    confirmed: bool = Field(description="Whether HQ has signed the entry.")
    version: int


class IdentityOut(BaseModel):
    """How this node's identity and its registry stand."""

    node: str
    fingerprint: str = Field(description="Of the key that signs.")
    rotation: Stage
    next_fingerprint: str | None
    until: datetime | None = Field(description="When this stage of the rotation ends by itself.")
    registry_as_of: datetime | None = Field(description="Of when HQ's last word on it is.")
    registry_matches: bool | None
    warnings: list[str]


@router.post("/invitations", summary="Let a node ask to join below this one", status_code=201)
async def invitations(
    body: InvitationRequest, session: Transaction, now: Now, context: Context, principal: Inviter
) -> InvitationAnswer:
    """Make a one-time code for a child's operator: ``guanxi node enrol --code ...`` uses it."""
    invitation = await enrolment.invite(
        session, context.post, body.child, by=principal.username, now=now, moving=body.move
    )
    actor = audit.Actor.of(principal)
    audit.record(session, actor, INVITED, at=now, subject=("node", body.child))
    hours = enrolment.CODE_LIFE.total_seconds() / 3600
    return InvitationAnswer(child=body.child, code=str(invitation), valid_hours=hours)


@router.get("/enrolments", summary="Nodes that have asked to join and are not admitted yet")
async def enrolments(session: Transaction, _: Reader) -> list[EnrolmentOut]:
    """List the requests that wait for a second person, with the fingerprint of each one's key, oldest first."""
    return [
        EnrolmentOut(
            child=request.child,
            fingerprint=PublicKey.from_text(request.public_key or "").fingerprint,
            requested_at=request.used_at,
            invited_by=request.created_by,
            move=request.moving,
        )
        for request in await enrolment.pending(session)
    ]


@router.post("/enrolments/{code}/admission", summary="Admit a node that has asked to join")
async def admission(
    code: Code,
    body: Admission,
    session: Transaction,
    *,
    now: Now,
    context: Context,
    principal: Inviter,
) -> MemberOut:
    """Let the node in, as a second person who has compared the fingerprint of its key."""
    peer = await enrolment.admit(
        session,
        context.post,
        code,
        body.fingerprint,
        by=principal.username,
        now=now,
        key_life=timedelta(days=context.settings.key_life_days),
    )
    audit.record(
        session,
        audit.Actor.of(principal),
        ADMITTED,
        at=now,
        subject=("node", code),
        detail={"fingerprint": body.fingerprint},
    )
    return MemberOut.model_validate(await membership.member(session, context.post, peer.code))


@router.get("/nodes", summary="Nodes and their keys, as this node's registry has them")
async def nodes(context: Context, _: Reader) -> list[KeyOut]:
    """List every node of the registry with each of its keys: whether it is believed, and when it expires."""
    return [KeyOut(**key) for key in await keys_known(context)]


@router.post("/nodes/{code}/revocation", summary="Believe nothing that a node signs any more")
async def revocation(
    code: Code,
    body: Withdrawal,
    session: Transaction,
    *,
    now: Now,
    context: Context,
    principal: Withdrawer,
) -> MemberOut:
    """Refuse the node at once, here and, through HQ, everywhere. Its parent and HQ can; again changes nothing."""
    audit.record(session, audit.Actor.of(principal), REVOKED, at=now, subject=("node", code))
    return MemberOut.model_validate(
        await membership.revoke(
            session, context.post, code, body.reason, by=principal.username, now=now
        )
    )


@router.post("/nodes/{code}/retirement", summary="Propose to retire a node")
async def propose_retirement(
    code: Code,
    body: Withdrawal,
    session: Transaction,
    *,
    now: Now,
    context: Context,
    principal: Withdrawer,
) -> RetirementOut:
    """Propose it with a reason; nothing happens until a second person approves."""
    actor = audit.Actor.of(principal)
    audit.record(session, actor, RETIREMENT_PROPOSED, at=now, subject=("node", code))
    return RetirementOut.model_validate(
        await membership.propose_retirement(
            session, context.post, code, body.reason, by=principal.username, now=now
        )
    )


@router.post("/nodes/{code}/retirement/approval", summary="Approve that a node is retired")
async def approve_retirement(
    code: Code, session: Transaction, now: Now, context: Context, principal: Withdrawer
) -> RetirementOut:
    """Retire it: nothing new is sent to it, what is under way drains, then its link is closed."""
    audit.record(session, audit.Actor.of(principal), RETIRED, at=now, subject=("node", code))
    return RetirementOut.model_validate(
        await membership.approve_retirement(
            session, context.post, code, by=principal.username, now=now
        )
    )


@router.get("/identity", summary="This node's key, its rotation, and how old its registry is")
async def identity(context: Context, _: Reader) -> IdentityOut:
    """Show how this node's identity stands, with everything that an operator should know in sentences."""
    found = await standing(context)
    return IdentityOut(
        node=context.settings.code,
        fingerprint=found.fingerprint,
        rotation=found.rotation.stage,
        next_fingerprint=found.rotation.next_fingerprint,
        until=found.rotation.until,
        registry_as_of=found.registry_as_of,
        registry_matches=found.registry_matches,
        warnings=list(found.warnings),
    )
