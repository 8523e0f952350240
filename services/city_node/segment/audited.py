"""What segments leave in the audit log: who made, changed, locked or deleted which one.

The condition is in the segment's own history and not in the log: what a field is compared with may be personal.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.segment.models import Act, Segment
from shared import audit
from shared.capability import Action
from shared.kernel.language import Text

ACTIONS: Mapping[Act, Action] = {
    act: Action(f"segment.{act.value}", text)
    for act, text in (
        (Act.CREATED, Text("A segment was made", "新建客户群")),
        (Act.CHANGED, Text("A segment was changed", "修改客户群")),
        (Act.LOCKED, Text("A segment was locked as a list", "锁定客户群")),
        (Act.REFRESHED, Text("A segment's list was made anew", "更新客户群名单")),
        (Act.UNLOCKED, Text("A segment was unlocked", "解锁客户群")),
        (Act.DELETED, Text("A segment was deleted", "删除客户群")),
    )
}


def record_act(
    session: AsyncSession,
    actor: audit.Actor,
    act: Act,
    segment: Segment,
    fields: Iterable[str] = (),
    *,
    at: datetime,
) -> None:
    """Add the audit record of what made a version of a segment to its transaction."""
    audit.record(
        session,
        actor,
        ACTIONS[act],
        at=at,
        subject=("segment", segment.id),
        fields=fields,
        detail={"version": segment.version, "members": segment.member_count},
    )
