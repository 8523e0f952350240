"""How a node joins its parent, as an operator does it on either side.

The protocol is :mod:`shared.federation.enrolment`'s.
"""

import asyncio
from datetime import timedelta

from shared import audit
from shared.capability import NodeContext
from shared.federation import enrolment, repository
from shared.federation.dialler import Dialler
from shared.federation.enrolment import Invitation
from shared.federation.link import LinkDown
from shared.federation.models import NodeStatus
from shared.federation.problems import EnrolmentPending
from shared.federation.receiver import Receiver
from shared.node.audited import ADMITTED, INVITED

ASK_AGAIN_SECONDS = 5.0
"""Between two requests of a node that waits to be admitted."""


class AdmissionAwaited(Exception):
    """The parent has the request, and a second person there has yet to admit it; the message says what to do."""


async def invite(context: NodeContext, child: str, *, by: str, moving: bool = False) -> Invitation:
    """Make a one-time code with which node ``child`` may ask to join the node of ``context``.

    Args:
        context: the parent's.
        child: division code of the node that is to join.
        by: who invites it.
        moving: whether it may come from another parent.

    Raises:
        EnrolmentRefused: if the child does not lie directly below the parent.
    """
    now = context.clock.now()
    async with context.database.transaction() as session:
        audit.record(session, audit.Actor.command(by), INVITED, at=now, subject=("node", child))
        return await enrolment.invite(session, context.post, child, by=by, now=now, moving=moving)


async def admit(context: NodeContext, child: str, fingerprint: str, *, by: str) -> None:
    """Let node ``child`` in, which has asked to join the node of ``context``, as a second person.

    Args:
        context: the parent's.
        child: its division code.
        fingerprint: of its key, as its operator reads it out.
        by: who admits it.

    Raises:
        EnrolmentNotPending, FingerprintDiffers, SecondPersonNeeded, EnrolmentRefused: if it cannot be.
    """
    now = context.clock.now()
    async with context.database.transaction() as session:
        audit.record(
            session,
            audit.Actor.command(by),
            ADMITTED,
            at=now,
            subject=("node", child),
            detail={"fingerprint": fingerprint},
        )
        await enrolment.admit(
            session,
            context.post,
            child,
            fingerprint,
            by=by,
            now=now,
            key_life=timedelta(days=context.settings.key_life_days),
        )


async def join(
    context: NodeContext, url: str, invitation: Invitation, *, moving: bool = False
) -> str:
    """Let the node of ``context`` ask the parent at ``url`` once; returns the parent's code when it is joined.

    Raises:
        AdmissionAwaited: if the parent has the request, and nobody has admitted the node yet.
        LinkDown: if the parent cannot be reached or refuses.
        InvitationInvalid: if it is not the parent that the code came from.
    """
    dialler = Dialler(
        settings=context.settings,
        post=context.post,
        database=context.database,
        clock=context.clock,
        receiver=Receiver(context.settings, context.post, {}),
        high_water=context.high_water,
    )
    try:
        return await dialler.enrol(url.rstrip("/"), invitation, moving=moving)
    except LinkDown as error:
        if error.problem != EnrolmentPending.type_uri():
            raise
        code, fingerprint = context.settings.code, context.post.key.public.fingerprint
        raise AdmissionAwaited(
            f"The parent has the request of node {code}. A second person there has to compare this node's fingerprint, "
            f"{fingerprint}, and admit it: `guanxi node admit {code} --fingerprint {fingerprint}`. Then ask again with the same code."
        ) from None
    finally:
        await dialler.close()


async def join_when_admitted(
    context: NodeContext, url: str, invitation: Invitation, *, moving: bool = False
) -> str:
    """Ask again until the node is admitted; returns the parent's code.

    Raises:
        LinkDown, InvitationInvalid: as :func:`join`.
    """
    while True:
        try:
            return await join(context, url, invitation, moving=moving)
        except AdmissionAwaited:
            await asyncio.sleep(ASK_AGAIN_SECONDS)


async def join_both(above: NodeContext, below: NodeContext, url: str, *, by: str) -> str | None:
    """Let a node join a parent when both are in one hand: the program invites, and ``by`` admits.

    Returns:
        Why it was not done: ``retired`` or ``revoked``, which people decided and a program does not undo.

    Raises:
        LinkDown: if the parent cannot be reached or refuses.
    """
    code = below.settings.code
    async with above.database.transaction() as session:
        known = await repository.entry(session, code)
    if known is not None and known.status != NodeStatus.ACTIVE:
        return known.status
    invitation = await invite(above, code, by="program:guanxi up")
    try:
        await join(below, url, invitation)
    except AdmissionAwaited:
        await admit(above, code, below.post.key.public.fingerprint, by=by)
        await join(below, url, invitation)
    return None
