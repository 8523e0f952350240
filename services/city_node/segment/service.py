"""Making, changing, locking and reading segments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.problems import UnitOutOfScope
from services.city_node.query.bulk_read import Act as BulkAct
from services.city_node.query.bulk_read import record_bulk_read
from services.city_node.query.selection import Selection, read_condition
from services.city_node.query.statement import Numbered
from services.city_node.query.writing import to_json, to_text
from services.city_node.segment import repository
from services.city_node.segment.audited import record_act
from services.city_node.segment.models import Act, Mode, Segment, SegmentVersion
from services.city_node.segment.problems import (
    SegmentIsLiving,
    SegmentIsLocked,
    SegmentNameTaken,
    SegmentNotFound,
)
from services.city_node.segment.repository import OnList
from services.city_node.segment.schemas import (
    ComparisonOut,
    NewSegment,
    Part,
    SegmentChange,
    SegmentOut,
)
from shared import audit
from shared.capability import Requester
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.encryption import Cipher
from shared.kernel.listing import Where
from shared.kernel.preconditions import require_version


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments as somebody may see and change them, in one transaction.

    Attributes:
        session: the transaction.
        requester: who.
        scope: path of the unit below which they see.
        cipher: the node's.
        now: when.
    """

    session: AsyncSession
    requester: Requester
    scope: str
    cipher: Cipher
    now: datetime

    async def create(self, id: UUID, new: NewSegment) -> Segment:  # noqa: A002 - its id
        """Keep a new living segment.

        Raises:
            UnitOutOfScope: if the unit is not at or below the caller's (422).
            SegmentNameTaken: if the unit has one of that name (409).
            ConditionInvalid, ConditionForbidden: as :func:`~services.city_node.query.selection.read_condition`.
        """
        unit = new.unit_code or self.requester.unit_code
        path = await repository.unit_path(self.session, unit, self.scope)
        if path is None:
            raise UnitOutOfScope(unit)
        segment = Segment(
            id=id,
            unit_code=unit,
            name=new.name,
            description=new.description,
            condition=self._kept(new.condition),
            mode=Mode.LIVING,
            version=0,
            created_at=self.now,
            created_by=self.requester.name,
        )
        repository.add(self.session, segment)
        await self._keep(segment, path, Act.CREATED, new.model_fields_set)
        return segment

    async def change(self, segment_id: UUID, change: SegmentChange, expected: int) -> Segment:
        """Change what is named.

        Raises:
            SegmentNotFound, VersionStale: if it is not there, or was changed (404, 412).
            SegmentIsLocked: if a list was to get another condition (409).
            SegmentNameTaken, ConditionInvalid, ConditionForbidden: as :meth:`create`.
        """
        segment, path = await self.locked(segment_id, expected)
        values = change.model_dump(exclude_unset=True, include={"name", "description"})
        if change.condition is not None:
            values["condition"] = self._kept(change.condition)
            if segment.mode == Mode.LOCKED and values["condition"] != segment.condition:
                raise SegmentIsLocked
        values = {
            name: value
            for name, value in values.items()
            if value != getattr(segment, name) and (value is not None or name == "description")
        }
        for name, value in values.items():
            setattr(segment, name, value)
        if values:
            await self._keep(segment, path, Act.CHANGED, values)
        return segment

    async def lock(self, segment_id: UUID, expected: int) -> Segment:
        """Make a list of those who meet the condition now.

        Raises:
            SegmentNotFound, VersionStale: as :meth:`change`.
            SegmentIsLocked: if it is one (409).
        """
        segment, path = await self.locked(segment_id, expected)
        if segment.mode == Mode.LOCKED:
            raise SegmentIsLocked
        await self._make_list(segment, path, Act.LOCKED)
        return segment

    async def refresh(self, segment_id: UUID, expected: int) -> Segment:
        """Make the list anew; the one before stays as it is, under its version.

        Raises:
            SegmentNotFound, VersionStale: as :meth:`change`.
            SegmentIsLiving: if there is no list (409).
        """
        segment, path = await self.locked(segment_id, expected)
        if segment.mode == Mode.LIVING:
            raise SegmentIsLiving
        await self._make_list(segment, path, Act.REFRESHED)
        return segment

    async def unlock(self, segment_id: UUID, expected: int) -> Segment:
        """Let the segment live again; its lists stay.

        Raises:
            SegmentNotFound, VersionStale: as :meth:`change`.
            SegmentIsLiving: if it lives (409).
        """
        segment, path = await self.locked(segment_id, expected)
        if segment.mode == Mode.LIVING:
            raise SegmentIsLiving
        segment.mode, segment.list_version, segment.member_count = Mode.LIVING, None, None
        segment.locked_at = segment.locked_by = None
        await self._keep(segment, path, Act.UNLOCKED)
        return segment

    async def delete(self, segment_id: UUID, expected: int) -> None:
        """Take a segment out of sight; its history and lists stay, for what was done with them.

        Raises:
            SegmentNotFound, VersionStale: as :meth:`change`.
        """
        segment, path = await self.locked(segment_id, expected)
        segment.deleted_at = self.now
        await self._keep(segment, path, Act.DELETED)

    async def locked(self, segment_id: UUID, expected: int) -> tuple[Segment, str]:
        """Return a segment, its row locked, at the version that is expected, and its unit's path."""
        found = await repository.segment_in_scope(self.session, segment_id, self.scope, lock=True)
        if found is None:
            raise SegmentNotFound(segment=segment_id)
        require_version(found[0].version, expected)
        return found

    async def find(self, segment_id: UUID) -> tuple[Segment, str]:
        """Return a segment and its unit's path.

        Raises:
            SegmentNotFound: if the caller sees none (404).
        """
        found = await repository.segment_in_scope(self.session, segment_id, self.scope)
        if found is None:
            raise SegmentNotFound(segment=segment_id)
        return found

    async def members(self, segment_id: UUID) -> Selection:
        """Return who is in a segment, of those whom the caller sees.

        Raises:
            SegmentNotFound: if the caller sees no such segment (404).
            ConditionForbidden: if its condition asks for what the caller may not see (403).
        """
        segment, path = await self.find(segment_id)
        return self._selection(segment, path)

    def _selection(self, segment: Segment, path: str) -> Selection:
        # Also of a locked one: who is on the list tells of the condition by which it was made.
        condition = read_condition(segment.condition, permissions=self.requester.permissions)
        today = business_day(self.now)
        if segment.mode == Mode.LOCKED and segment.list_version is not None:
            on_list = OnList(segment.id, segment.list_version)
            return Selection(None, (self.scope,), today, on_list)
        return Selection(condition, (path, self.scope), today)

    async def count(self, given: str | dict[str, Any]) -> int:
        """Return how many of those whom the caller sees meet a condition."""
        condition = read_condition(given, permissions=self.requester.permissions)
        return await self.count_of(Selection(condition, (self.scope,), business_day(self.now)))

    async def count_of(self, selection: Selection) -> int:
        """Return how many customers a selection has."""
        connection = await driver_connection(self.session)
        return await repository.count(connection, selection, self.cipher)

    async def compare(self, first: UUID, second: UUID) -> ComparisonOut:
        """Return how many two segments have, share, and have alone."""
        sides = [await self.members(each) for each in (first, second)]
        connection = await driver_connection(self.session)
        row = await repository.compare(connection, sides[0], sides[1], self.cipher)
        return ComparisonOut(**dict(row))

    async def part(self, first: UUID, second: UUID, part: Part) -> Where:
        """Return which customers are in one, both or either of two segments."""
        binder = Numbered()
        one, other = [
            f"(({(await self.members(each)).where(binder, self.cipher)}) IS TRUE)"
            for each in (first, second)
        ]
        joined = {
            Part.BOTH: f"{one} AND {other}",
            Part.ONLY_FIRST: f"{one} AND NOT {other}",
            Part.ONLY_SECOND: f"{other} AND NOT {one}",
            Part.EITHER: f"({one} OR {other})",
        }
        return Where(joined[part], binder.values)

    def _kept(self, given: str | dict[str, Any]) -> dict[str, Any]:
        return to_json(read_condition(given, permissions=self.requester.permissions, is_kept=True))

    async def _make_list(self, segment: Segment, path: str, act: Act) -> None:
        condition = read_condition(segment.condition, permissions=self.requester.permissions)
        selection = Selection(condition, (path, self.scope), business_day(self.now))
        connection = await driver_connection(self.session)
        segment.list_version = segment.version + 1
        segment.member_count = await repository.keep_list(
            connection, segment.id, segment.list_version, selection, self.cipher
        )
        segment.mode = Mode.LOCKED
        segment.locked_at, segment.locked_by = self.now, self.requester.name
        await self._keep(segment, path, act)
        record_bulk_read(
            self.session,
            self._actor(segment, path),
            BulkAct.LOCK,
            str(segment.id),
            segment.member_count,
            at=self.now,
        )

    def _actor(self, segment: Segment, path: str) -> audit.Actor:
        if self.requester.id is None:
            return audit.Actor.command(self.requester.name)
        return audit.Actor(
            self.requester.name,
            user_id=self.requester.id,
            unit_code=segment.unit_code,
            unit_path=path,
        )

    async def _keep(
        self, segment: Segment, path: str, act: Act, fields: Iterable[str] = ()
    ) -> None:
        segment.version += 1
        segment.updated_at, segment.updated_by = self.now, self.requester.name
        unit, name = (
            segment.unit_code,
            segment.name,
        )  # a row that could not be written cannot be read
        if not await repository.write(self.session):
            raise SegmentNameTaken(unit, name)
        repository.add(
            self.session,
            SegmentVersion(
                segment_id=segment.id,
                version=segment.version,
                act=act,
                name=segment.name,
                condition=segment.condition,
                mode=segment.mode,
                list_version=segment.list_version,
                member_count=segment.member_count,
                at=self.now,
                by=self.requester.name,
            ),
        )
        actor = self._actor(segment, path)
        record_act(self.session, actor, act, segment, sorted(fields), at=self.now)


def shown(segment: Segment) -> SegmentOut:
    """Return a segment as it goes over the wire."""
    names: Sequence[str] = [name for name in SegmentOut.model_fields if name != "text"]
    condition = read_condition(segment.condition, permissions=None)
    return SegmentOut(**{name: getattr(segment, name) for name in names}, text=to_text(condition))
