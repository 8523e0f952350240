"""Asking for long work and cancelling it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import Principal
from shared.capability import Requester
from shared.kernel.database import notify
from shared.kernel.language import Text
from shared.work import repository
from shared.work.access import SUPERVISE
from shared.work.models import OPEN, Work, WorkState
from shared.work.problems import WorkEnded, WorkNotFound

CHANNEL = "guanxi_work"
"""Wakes the leading process; the payload is the kind that was asked for."""


def requester_of(principal: Principal) -> Requester:
    """Return ``principal`` as one who asks for work."""
    return Requester(principal.username, principal.id, principal.unit, principal.permissions)


async def request_work(
    session: AsyncSession,
    kind: str,
    *,
    id: UUID,  # noqa: A002 - it is the id of the work, and passed by name
    title: str,
    parameters: Mapping[str, Any],
    requester: Requester,
    now: datetime,
) -> Work:
    """Ask for a piece of work: it begins once the transaction of ``session`` is committed."""
    held = requester.permissions
    work = Work(
        id=id,
        kind=kind,
        title=title,
        parameters=dict(parameters),
        requested_by=requester.name,
        requester_id=requester.id,
        requester_permissions=None if held is None else sorted(held),
        unit_code=requester.unit_code,
        state=WorkState.QUEUED,
        progress_done=0,
        cancel_requested=False,
        attempt=0,
        created_at=now,
    )
    repository.add(session, work)
    await session.flush()  # what the caller keeps beside it may refer to it
    await notify(session, CHANNEL, kind)
    return work


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose work somebody sees: their own, that of a unit and below, or both."""

    id: UUID | None
    scope: str | None

    @classmethod
    def of(cls, principal: Principal) -> "Viewer":
        """Return what ``principal`` sees."""
        return cls(principal.id, principal.unit_path if principal.may(SUPERVISE) else None)

    def filters(self) -> dict[str, Any]:
        """Return the filters of a list of what is seen."""
        return {"scope": self.scope} if self.scope is not None else {"requester": self.id}


async def find(session: AsyncSession, viewer: Viewer, work_id: UUID) -> Work:
    """Return a piece of work, locked.

    Raises:
        WorkNotFound: if the viewer sees none of that id (404).
    """
    work = await repository.lock_visible(session, work_id, scope=viewer.scope, requester=viewer.id)
    if work is None:
        raise WorkNotFound(work=work_id)
    return work


ENDINGS = {WorkState.DONE: Text("done", "已完成"), WorkState.FAILED: Text("failed", "已失败")}
"""What the states are called in which work has ended by itself."""


async def cancel(session: AsyncSession, viewer: Viewer, work_id: UUID, *, now: datetime) -> Work:
    """Cancel work: at once if it waits, at its next step if it runs. Repeating it changes nothing.

    Raises:
        WorkNotFound: if the viewer sees none of that id (404).
        WorkEnded: if it was done or failed before (409).
    """
    work = await find(session, viewer, work_id)
    if work.state == WorkState.QUEUED:
        work.state, work.finished_at = WorkState.CANCELLED, now
    elif work.state not in {*OPEN, WorkState.CANCELLED}:
        raise WorkEnded(state=ENDINGS[WorkState(work.state)])
    work.cancel_requested = True
    return work
