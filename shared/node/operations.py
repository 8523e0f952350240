"""What a node's operator sees and does over HTTP: its links, inviting a child, and mending what is parked."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from shared.access import Principal, require
from shared.capability import Capability, Context, Permission, Role
from shared.federation.enrolment import CODE_LIFE, invite
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text
from shared.node import lane_endpoints, parking_endpoints

router = APIRouter(prefix="/operations")


class InvitationRequest(BaseModel):
    """Which node shall join."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"child": "440300"}})

    child: str = Field(
        pattern=r"^\d{6}$", description="Division code of the node that shall join below this one."
    )


class InvitationAnswer(BaseModel):
    """A one-time code."""

    child: str
    code: str
    valid_hours: float


@router.post("/invitations", summary="Let a node join below this one", status_code=201)
async def invitations(
    body: InvitationRequest,
    session: Transaction,
    now: Now,
    context: Context,
    principal: Annotated[Principal, Depends(require("operations:invite"))],
) -> InvitationAnswer:
    """Make a one-time code for a child's operator: ``guanxi node enrol --code ...`` uses it."""
    invitation = await invite(session, context.post, body.child, by=principal.username, now=now)
    return InvitationAnswer(
        child=body.child, code=str(invitation), valid_hours=CODE_LIFE.total_seconds() / 3600
    )


capability = Capability(
    name="operations",
    summary=Text(
        "Links of the node, who may join it, and what is parked", "节点链路、加入管理与停放消息"
    ),
    routers=(router, lane_endpoints.router, parking_endpoints.router),
    permissions=(
        Permission(
            "operations:read",
            Text("See the node's links, lanes and parked messages", "查看节点链路与停放消息"),
            frozenset({Role.OPERATOR, Role.PROVINCE_COORDINATOR}),
        ),
        Permission(
            "operations:invite", Text("Let a node join", "邀请节点加入"), frozenset({Role.OPERATOR})
        ),
        Permission(
            "operations:mend",
            Text("Retry and discard parked messages", "重试或丢弃停放消息"),
            frozenset({Role.OPERATOR}),
        ),
    ),
)
