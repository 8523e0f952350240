"""Who may read, draft and publish policies, and what of it the audit log keeps."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from shared.access import Principal, require
from shared.audit import Actor
from shared.capability import Conflict, Context, Permission, PolicyKind, Role
from shared.kernel.edge import Now, Transaction, awaited
from shared.kernel.language import Text
from shared.policy.declaration import PolicyKinds
from shared.policy.drafting import Desk, Person
from shared.policy.problems import PublisherIsNode
from shared.policy.service import kind_named

READ = "policy:read"
DRAFT = "policy:draft"
PUBLISH = "policy:publish"

_IN_CHARGE = frozenset({Role.SUPERVISOR, Role.PROVINCE_COORDINATOR, Role.HQ_ANALYST})

permissions = (
    Permission(
        READ,
        Text("see which policies are in force, and their versions", "查看现行政策及其各版本"),
        frozenset(Role),
    ),
    Permission(DRAFT, Text("draft policies of the node", "拟定本节点政策草案"), _IN_CHARGE),
    Permission(
        PUBLISH,
        Text(
            "publish or reject what others drafted, and withdraw versions",
            "发布或驳回他人拟定的政策草案，撤销已发布版本",
        ),
        _IN_CHARGE,
    ),
)

conflicts = (
    Conflict(
        frozenset({DRAFT}),
        frozenset({PUBLISH}),
        Text(
            "who drafted a policy neither publishes nor rejects it",
            "拟定政策与发布或驳回该政策不得为同一人",
        ),
        of_one_change=True,
    ),
)

Reader = Annotated[Principal, Depends(require(READ))]


def kinds_of_node(request: Request) -> PolicyKinds:
    """Return the kinds of policy that the node knows."""
    kinds: PolicyKinds = request.app.state.policies
    return kinds


Kinds = Annotated[PolicyKinds, Depends(awaited(kinds_of_node))]


async def kind_of_path(
    kind: Annotated[str, Path(description="Kind of policy.", examples=["level"])], kinds: Kinds
) -> PolicyKind[Any]:
    """Return the kind of policy that a request is about."""
    return kind_named(kinds, kind)


Kind = Annotated[PolicyKind[Any], Depends(kind_of_path)]


def _desk(
    principal: Principal, session: Transaction, context: Context, kind: Kind, now: Now
) -> Desk:
    here = context.settings.code
    if principal.unit != here:
        raise PublisherIsNode(here=here, unit=principal.unit)
    person = Person(principal.username, principal.id)
    return Desk(session, context.post, kind, person, Actor.of(principal), now)


async def drafting_desk(
    principal: Annotated[Principal, Depends(require(DRAFT))],
    session: Transaction,
    context: Context,
    kind: Kind,
    now: Now,
) -> Desk:
    """Return where the caller drafts, in the request's transaction."""
    return _desk(principal, session, context, kind, now)


async def publishing_desk(
    principal: Annotated[Principal, Depends(require(PUBLISH))],
    session: Transaction,
    context: Context,
    kind: Kind,
    now: Now,
) -> Desk:
    """Return where the caller publishes, in the request's transaction."""
    return _desk(principal, session, context, kind, now)


AtDraftingDesk = Annotated[Desk, Depends(drafting_desk)]
AtPublishingDesk = Annotated[Desk, Depends(publishing_desk)]
