"""How a node joins its parent, as an operator does it on either side.

The protocol is :mod:`shared.federation.enrolment`'s.
"""

from shared.capability import NodeContext
from shared.federation import enrolment
from shared.federation.dialler import Dialler
from shared.federation.enrolment import Invitation
from shared.federation.receiver import Receiver


async def invite(context: NodeContext, child: str, *, by: str) -> Invitation:
    """Make a one-time code with which node ``child`` may join the node of ``context``.

    Args:
        context: the parent's.
        child: division code of the node that is to join.
        by: who lets it in.

    Raises:
        EnrolmentRefused: if the child does not lie directly below the parent.
    """
    async with context.database.transaction() as session:
        return await enrolment.invite(session, context.post, child, by=by, now=context.clock.now())


async def join(context: NodeContext, url: str, invitation: Invitation) -> str:
    """Let the node of ``context`` join the parent at ``url``; returns the parent's division code.

    Raises:
        LinkDown: if the parent cannot be reached or refuses.
        InvitationInvalid: if it is not the parent that the code came from.
    """
    dialler = Dialler(
        settings=context.settings,
        post=context.post,
        database=context.database,
        clock=context.clock,
        receiver=Receiver(context.settings, context.post, {}),
    )
    try:
        return await dialler.enrol(url.rstrip("/"), invitation)
    finally:
        await dialler.close()
