"""The rules of changing number segments: what conflicts, who decides, how a change becomes editions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.hq_node.number_segment import repository
from services.hq_node.number_segment.models import ChangeState, NumberSegmentChange
from services.hq_node.number_segment.problems import (
    ChangeDecided,
    ChangeNotFound,
    ConflictsChanged,
    SegmentsInvalid,
)
from shared import audit
from shared.capability import Action, NodeContext
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Fault
from shared.kernel.second_person import SecondPersonNeeded
from shared.kernel.tier import Tier
from shared.number_segment import repository as table
from shared.number_segment import sharing
from shared.number_segment.edition import MOST_SEGMENTS, Edition, Said
from shared.organisation.division import UnknownDivision, division

CHANGED = Action(
    "number-segment.changed", Text("Number segments were changed or proposed", "提交号段变更")
)
DECIDED = Action(
    "number-segment.decided", Text("A change of number segments was decided about", "复核号段变更")
)
MOST_FAULTS = 20
MOST_SHOWN = 200
"""Conflicts that a change keeps; all of them are counted."""

Segments = Sequence[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Person:
    """Who changes or decides: a member of staff, or whoever runs a command (without an id)."""

    name: str
    id: UUID | None
    actor: audit.Actor


async def change(
    context: NodeContext,
    session: AsyncSession,
    person: Person,
    segments: Segments,
    note: str,
    *,
    now: datetime,
) -> NumberSegmentChange:
    """Publish a change that conflicts with nothing; keep one that does, for another person to look at.

    Raises:
        SegmentsInvalid: if a segment is named twice, or a home is no city (422).
    """
    wanted = _checked(segments)
    await table.lock_table(session)
    found = await repository.conflicts(session, wanted)
    made = NumberSegmentChange(
        id=new_id(),
        state=ChangeState.WAITING,
        segments=wanted,
        note=note,
        conflicts=found[:MOST_SHOWN],
        conflict_count=len(found),
        made_by=person.name,
        maker_id=person.id,
        made_at=now,
        version=1,
    )
    if not found:
        await _publish(context, session, made, person, now=now)
    session.add(made)
    _record(session, person, CHANGED, made, now)
    await session.flush()  # it is read back as it is now
    return made


def _checked(segments: Segments) -> dict[str, str | None]:
    wanted: dict[str, str | None] = {}
    faults: list[Fault] = []
    for place, (prefix, home) in enumerate(segments):
        if prefix in wanted:
            faults.append(Fault(f"/segments/{place}/prefix", f"{prefix} is twice in this list"))
        if home is not None and not _is_city(home):
            faults.append(Fault(f"/segments/{place}/home", f"{home} is no city"))
        wanted[prefix] = home
    if faults:
        raise SegmentsInvalid(faults=faults[:MOST_FAULTS], count=len(faults), most=MOST_FAULTS)
    return wanted


def _is_city(code: str) -> bool:
    try:
        return division(code).tier is Tier.CITY
    except UnknownDivision:
        return False


async def publish(
    context: NodeContext,
    session: AsyncSession,
    person: Person,
    change_id: UUID,
    *,
    version: int,
    now: datetime,
) -> NumberSegmentChange:
    """Publish a change of somebody else's, with the conflicts that it was shown with.

    Raises:
        ChangeNotFound: if there is none (404).
        shared.kernel.preconditions.VersionStale: if it was changed since it was read (412).
        ChangeDecided, ConflictsChanged: if it is not to be decided about, or not yet (409).
        SecondPersonNeeded: if the caller made it (403).
    """
    await table.lock_table(session)
    made = await _deciding(session, person, change_id, version)
    found = await repository.conflicts(session, made.segments)
    if len(found) != made.conflict_count or found[:MOST_SHOWN] != made.conflicts:
        raise ConflictsChanged(id=change_id)
    await _publish(context, session, made, person, now=now)
    made.version += 1
    _record(session, person, DECIDED, made, now)
    await session.flush()  # it is read back as it is now
    return made


async def reject(
    session: AsyncSession,
    person: Person,
    change_id: UUID,
    reason: str,
    *,
    version: int,
    now: datetime,
) -> NumberSegmentChange:
    """Reject a change; whoever made it may take it back so.

    Raises:
        ChangeNotFound: if there is none (404).
        shared.kernel.preconditions.VersionStale: if it was changed since it was read (412).
        ChangeDecided: if it was decided about already (409).
    """
    made = await _deciding(session, None, change_id, version)
    made.state, made.reason = ChangeState.REJECTED, reason
    made.decided_by, made.decided_at = person.name, now
    made.version += 1
    _record(session, person, DECIDED, made, now)
    await session.flush()  # it is read back as it is now
    return made


async def look_again(
    session: AsyncSession, change_id: UUID, *, version: int
) -> NumberSegmentChange:
    """Find what a waiting change conflicts with now.

    Raises:
        ChangeNotFound: if there is none (404).
        shared.kernel.preconditions.VersionStale: if it was changed since it was read (412).
        ChangeDecided: if it was decided about already (409).
    """
    made = await _deciding(session, None, change_id, version)
    found = await repository.conflicts(session, made.segments)
    made.conflicts, made.conflict_count = found[:MOST_SHOWN], len(found)
    made.version += 1
    await session.flush()  # it is read back as it is now
    return made


async def _deciding(
    session: AsyncSession, decider: Person | None, change_id: UUID, version: int
) -> NumberSegmentChange:
    made = await repository.lock(session, change_id)
    if made is None:
        raise ChangeNotFound(id=change_id)
    require_version(made.version, version)
    if made.state != ChangeState.WAITING:
        raise ChangeDecided(id=change_id, state=made.state, by=made.decided_by)
    if decider is not None and made.made_by == decider.name:
        raise SecondPersonNeeded(by=made.made_by)
    return made


async def _publish(
    context: NodeContext,
    session: AsyncSession,
    made: NumberSegmentChange,
    person: Person,
    *,
    now: datetime,
) -> None:
    number = known = await table.version(session)
    remaining = iter(sorted(made.segments.items()))
    while portion := dict(islice(remaining, MOST_SEGMENTS)):
        number += 1
        said = Said(
            number=number,
            segments=portion,
            published_at=now,
            published_by=person.name,
            note=made.note,
        )
        edition = Edition.made(said, context.post.key, context.post.code)
        await table.apply(session, edition, said, now=now)
        await sharing.pass_down(session, context.post, edition, number, now=now)
    made.state, made.first_edition, made.last_edition = ChangeState.PUBLISHED, known + 1, number
    made.decided_by, made.decided_at = person.name, now


def _record(
    session: AsyncSession,
    person: Person,
    action: Action,
    made: NumberSegmentChange,
    now: datetime,
) -> None:
    detail: Mapping[str, Any] = {
        "state": made.state,
        "segments": len(made.segments),
        "conflicts": made.conflict_count,
        "first_edition": made.first_edition,
    }
    audit.record(
        session,
        person.actor,
        action,
        at=now,
        subject=("number-segment-change", made.id),
        fields=["segments"],
        detail=detail,
    )
