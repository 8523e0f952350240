"""Verification: everything is computed again, and the first place that does not fit is named.

It goes through the seals in order and through each seal's records, in one snapshot of the database, so that work goes
on meanwhile; and it holds one seal's records at a time. What it finds is a finding about the log, not an error.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg
import orjson
from cryptography.exceptions import InvalidSignature

from shared.audit import chain, repository
from shared.audit.chain import Entry
from shared.audit.head import Head, noted
from shared.audit.repository import Range, Snapshot
from shared.audit.retention import DROPPED
from shared.audit.sealing import snapshot_of
from shared.capability import NodeContext
from shared.federation import repository as federation
from shared.federation.keys import PublicKey
from shared.kernel.privileges import rewritable


class Tampering(StrEnum):
    """What was done to the log."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    FORGED = "forged"


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the log is not what it was.

    Attributes:
        tampering: what was done.
        seal: number of the seal at or in which it is.
        record: id of the record, if it is one.
        sentence: the finding, for people.
    """

    tampering: Tampering
    seal: int | None
    record: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Which records are gone by retention: those of the first seals, whose seals stay."""

    through_seal: int
    records: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of checking the log.

    Attributes:
        seals: how many seals were checked.
        records: how many records.
        unsealed: how many records are younger than the last seal, and only checked next time.
        head: the newest seal: number and link, worth noting elsewhere.
        dropped: what retention has removed.
        broken: the first break; ``None`` if there is none.
        rewritable: tables of the log that the node's own role could rewrite; there should be none.
    """

    seals: int
    records: int
    unsealed: int
    head: Head | None
    dropped: Dropped | None
    broken: Break | None
    rewritable: Sequence[str]


class _Broken(Exception):
    def __init__(
        self, tampering: Tampering, seal: int | None, record: int | None, sentence: str
    ) -> None:
        super().__init__(sentence)
        self.found = Break(tampering, seal, record, sentence)


async def verify(
    context: NodeContext, *, first: int = 1, heads: Collection[Head] = ()
) -> Verification:
    """Check the log from seal ``first`` on.

    Args:
        context: the node's.
        first: where to begin; what is before is taken as it is.
        heads: seals that were noted elsewhere and must be there; the one in the node's directory is looked at anyway.
    """
    own = await asyncio.to_thread(noted, context.settings.directory)
    pool = await context.database.pool()
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        check = _Check(connection, await _known_keys(context))
        broken = None
        try:
            await check.chain(first)
            await check.heads([*heads, *([own] if own else [])])
            await check.strays()
        except _Broken as error:
            broken = error.found
        era = await repository.present_era(connection)
        after = snapshot_of(await repository.newest_seal(connection, era))
        return Verification(
            seals=check.seals,
            records=check.records,
            unsealed=await repository.count_unsealed(connection, era, after),
            head=check.head,
            dropped=check.dropped,
            broken=broken,
            rewritable=await rewritable(connection),
        )


async def _known_keys(context: NodeContext) -> frozenset[str]:
    """Return every key that the node is known to have had: those it holds, and those in the registry."""
    held = {key.public.to_text() for key in context.post.keys.all()}
    async with context.database.transaction() as session:
        entry = await federation.entry(session, context.settings.code)
    return frozenset(held | {key.to_text() for key in entry.keys_ever()} if entry else held)


class _Check:
    """One run over the log."""

    def __init__(self, connection: asyncpg.Connection, keys: frozenset[str]) -> None:
        self._connection = connection
        self._keys = keys
        self._after: dict[int, Snapshot] = {}
        self.seals = 0
        self.records = 0
        self.head: Head | None = None
        self.dropped: Dropped | None = None

    async def chain(self, first: int) -> None:
        self.dropped = await self._read_dropped()
        before = await repository.seal_before(self._connection, first)
        if before is not None:
            self.head = Head(before["number"], before["link"])
        async for seal in repository.seals_from(self._connection, first):
            self._check_seal(seal)
            await self._check_records(seal)
            self.head = Head(seal["number"], seal["link"])
            self.seals += 1

    async def _read_dropped(self) -> Dropped | None:
        found = await repository.newest_drop(self._connection, DROPPED.code)
        if found is None:
            return None
        detail = orjson.loads(found["detail"])
        return Dropped(detail["through_seal"], detail["records"], found["at"], found["by"])

    def _check_seal(self, seal: asyncpg.Record) -> None:
        number = seal["number"]
        expected = self.head.number + 1 if self.head else 1
        if number != expected:
            raise _Broken(
                Tampering.REMOVED,
                expected,
                None,
                f"Seal {expected} is missing: the next is {number}.",
            )
        if seal["previous"] != (self.head.link if self.head else chain.FIRST):
            raise _Broken(
                Tampering.CHANGED, number, None, f"Seal {number} does not follow the one before it."
            )
        if (
            seal["link"] != chain.link_of_seal(seal)
            or len(seal["digests"]) != seal["records"] * chain.ENTRY_BYTES
        ):
            raise _Broken(
                Tampering.CHANGED,
                number,
                None,
                f"Seal {number} is not what it was when it was made.",
            )
        if not self._signed(seal):
            raise _Broken(
                Tampering.FORGED,
                number,
                None,
                f"Seal {number} is not signed by a key of this node.",
            )

    def _signed(self, seal: asyncpg.Record) -> bool:
        if seal["key"] not in self._keys:
            return False
        try:
            PublicKey.from_text(seal["key"]).ed25519().verify(seal["signature"], seal["link"])
        except InvalidSignature:
            return False
        return True

    async def _check_records(self, seal: asyncpg.Record) -> None:
        era, until = seal["era"], snapshot_of(seal)
        if era not in self._after:
            earlier = await repository.seal_before(self._connection, seal["number"], era)
            self._after[era] = snapshot_of(earlier)
        covered = Range(era, self._after[era], until)
        found = [
            chain.digest_of(row) async for row in repository.records_in(self._connection, covered)
        ]
        gone = self.dropped is not None and seal["number"] <= self.dropped.through_seal
        expected = [] if gone else list(chain.entries(seal["digests"]))
        if found != expected:
            raise _difference(seal["number"], expected, found)
        self._after[era] = until
        self.records += len(found)

    async def heads(self, heads: Collection[Head]) -> None:
        """Look for seals that are noted elsewhere."""
        for each in heads:
            link = await repository.link_at(self._connection, each.number)
            if link is None:
                raise _Broken(
                    Tampering.REMOVED,
                    each.number,
                    None,
                    f"Seal {each.number} was made and is no longer there: the end of the log was cut off, or the database "
                    "is restored from an earlier backup.",
                )
            if link != each.link:
                raise _Broken(
                    Tampering.FORGED,
                    each.number,
                    None,
                    f"Seal {each.number} is another than the one that was noted: the log was written anew, or the database "
                    "is restored from an earlier backup.",
                )

    async def strays(self) -> None:
        """Look for records that no seal covers, or ever will."""
        era = await repository.present_era(self._connection)
        newest = await repository.newest_seal(self._connection)
        if newest is None or newest["era"] != era:
            return  # what a dump left unsealed is sealed first by the server that it was restored to
        stray = await repository.first_unsealed_elsewhere(self._connection, era)
        if stray is not None:
            raise _Broken(
                Tampering.INSERTED,
                None,
                stray["id"],
                f"Record {stray['id']} is of a time that is over, and no seal covers it.",
            )


def _difference(number: int, expected: Sequence[Entry], found: Sequence[Entry]) -> _Broken:
    present = {entry.id: entry.digest for entry in found}
    known = {entry.id for entry in expected}
    for entry in expected:
        if entry.id not in present:
            return _Broken(
                Tampering.REMOVED, number, entry.id, f"Record {entry.id} of seal {number} is gone."
            )
        if present[entry.id] != entry.digest:
            return _Broken(
                Tampering.CHANGED,
                number,
                entry.id,
                f"Record {entry.id} of seal {number} is not what it was when it was sealed.",
            )
    for entry in found:
        if entry.id not in known:
            return _Broken(
                Tampering.INSERTED,
                number,
                entry.id,
                f"Record {entry.id} was put among those of seal {number} after it was made.",
            )
    moved = next(b.id for a, b in zip(expected, found, strict=True) if a.id != b.id)
    return _Broken(
        Tampering.REORDERED,
        number,
        moved,
        f"Record {moved} of seal {number} stands in another place than when it was sealed.",
    )
