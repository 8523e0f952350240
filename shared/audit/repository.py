"""The queries of the audit log: searching it, and the records that a seal covers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import asyncpg

from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - every statement here is put together from what is declared here, never from input

_FIELDS = [
    "id", "at", "by", "user_id", "role", "unit_code", "action", "subject_type", "subject_id", "fields", "source",
    "trace_id", "cause_id", "detail",
]  # fmt: skip

records = Listing(
    source="audit_record r",
    key=Sort("r.id", "bigint"),
    columns={name: f'r."{name}"' for name in _FIELDS},
    sorts={"id": Sort("r.id", "bigint")},
    filters={
        "scope": "starts_with(coalesce(r.unit_path, ''), {})",
        "by": 'r."by" = {}',
        "user": "r.user_id = {}",
        "subject": "r.subject_id = {}",
        "subject_type": "r.subject_type = {}",
        "action": "r.action = {}",
        "source": "r.source = {}",
        "unit": "starts_with(r.unit_path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "trace": "r.trace_id = {}",
        "cause": "r.cause_id = {}",
        "at_from": "r.at >= {}",
        "at_before": "r.at < {}",
    },
)
"""The audit log, for auditors and supervisors."""

seals = Listing(
    source="audit_seal s",
    key=Sort("s.number", "bigint"),
    columns={
        "number": "s.number",
        "at": "s.at",
        "records": "s.records",
        "first_at": "s.first_at",
        "last_at": "s.last_at",
        "link": "encode(s.link, 'hex')",
    },
    sorts={"number": Sort("s.number", "bigint")},
    filters={},
)
"""The chain, for whoever notes its links elsewhere."""

SEAL_COLUMNS = "number, at, era, until_xid, in_progress, records, first_at, last_at, digests, previous, link, key, signature"
_CONTENT = (
    "id, at, by, user_id, role, unit_code, unit_path, action, subject_type, subject_id, fields::text AS fields, source, "
    "trace_id, cause_id, detail::text AS detail, xid"
)
# What became visible between two snapshots: transactions that began since, and those that were under way and ended.
_RANGE = "era = $1 AND (xid >= $2 AND xid < $3 OR xid = ANY ($5::bigint[])) AND xid <> ALL ($4::bigint[])"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions of a server were over: those below ``xmax``, except those in progress."""

    xmax: int
    in_progress: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``pg_current_snapshot()`` writes: ``xmin:xmax:xid,xid``."""
        _, xmax, running = text.split(":")
        return cls(int(xmax), tuple(int(xid) for xid in running.split(",") if xid))

    def before(self, xid: int) -> "Snapshot":
        """Return one that knows of no transaction from ``xid`` on."""
        return Snapshot(xid, tuple(each for each in self.in_progress if each < xid))


BEGINNING = Snapshot(0)
LOG = ("audit_log", "audit_log")
"""The log as the subject of what is done to it."""


@dataclass(frozen=True, slots=True)
class Range:
    """The records that a seal covers: those of one era between two snapshots."""

    era: int
    after: Snapshot
    until: Snapshot

    @property
    def values(self) -> tuple[Any, ...]:
        """The parameters of a query."""
        running = list(self.until.in_progress)
        return self.era, self.after.xmax, self.until.xmax, running, list(self.after.in_progress)


async def records_in(
    connection: asyncpg.Connection, covered: Range
) -> AsyncIterator[asyncpg.Record]:
    """Give the records of a range in the order of the chain; needs an open transaction."""
    query = f"SELECT {_CONTENT} FROM audit_record WHERE {_RANGE} ORDER BY xid, id"
    async for row in connection.cursor(query, *covered.values, prefetch=1000):
        yield row


async def xid_at(connection: asyncpg.Connection, covered: Range, place: int) -> int | None:
    """Return the transaction of the record at ``place``, from 0, of those that began in a range; ``None`` behind it."""
    found: int | None = await connection.fetchval(
        "SELECT xid FROM audit_record WHERE era = $1 AND xid >= $2 AND xid < $3 AND xid <> ALL ($4::bigint[])"
        " ORDER BY xid, id OFFSET $5 LIMIT 1",
        *covered.values[:4],
        place,
    )
    return found


async def delete_range(connection: asyncpg.Connection, covered: Range) -> int:
    """Delete the records of a range, as the owner; returns how many there were."""
    status = await connection.execute(f"DELETE FROM audit_record WHERE {_RANGE}", *covered.values)
    return int(status.split()[-1])


async def present_era(connection: asyncpg.Connection) -> int:
    """Return the era of what is written now."""
    era: int = await connection.fetchval("SELECT (pg_control_system()).system_identifier")
    return era


async def present_snapshot(connection: asyncpg.Connection) -> Snapshot:
    """Return which transactions are over."""
    return Snapshot.parse(await connection.fetchval("SELECT pg_current_snapshot()::text"))


async def newest_seal(
    connection: asyncpg.Connection, era: int | None = None
) -> asyncpg.Record | None:
    """Return the newest seal, of one era if that is given."""
    return await connection.fetchrow(
        f"SELECT {SEAL_COLUMNS} FROM audit_seal WHERE $1::bigint IS NULL OR era = $1 ORDER BY number DESC LIMIT 1",
        era,
    )


async def link_at(connection: asyncpg.Connection, number: int) -> bytes | None:
    """Return the link of a seal; ``None`` if there is no such seal."""
    link: bytes | None = await connection.fetchval(
        "SELECT link FROM audit_seal WHERE number = $1", number
    )
    return link


async def highest_xid(connection: asyncpg.Connection, era: int) -> int:
    """Return the latest transaction of an era that wrote a record; there must be one."""
    found: int = await connection.fetchval(
        "SELECT xid FROM audit_record WHERE era = $1 ORDER BY xid DESC LIMIT 1", era
    )
    return found


async def sealed_before(connection: asyncpg.Connection, moment: datetime) -> int:
    """Return the number up to which every seal covers only records from before ``moment``; 0 if not even the first."""
    first_younger = await connection.fetchval(
        "SELECT min(number) FROM audit_seal WHERE last_at >= $1", moment
    )
    if first_younger is not None:
        return int(first_younger) - 1
    return int(await connection.fetchval("SELECT coalesce(max(number), 0) FROM audit_seal"))


async def seals_from(connection: asyncpg.Connection, first: int) -> AsyncIterator[asyncpg.Record]:
    """Give the seals from ``first`` on, in order; needs an open transaction."""
    query = f"SELECT {SEAL_COLUMNS} FROM audit_seal WHERE number >= $1 ORDER BY number"
    async for row in connection.cursor(query, first, prefetch=50):
        yield row


async def seal_before(
    connection: asyncpg.Connection, number: int, era: int | None = None
) -> asyncpg.Record | None:
    """Return the last seal before ``number``, of one era if that is given; there is none before the first."""
    return await connection.fetchrow(
        f"SELECT {SEAL_COLUMNS} FROM audit_seal WHERE number < $1 AND ($2::bigint IS NULL OR era = $2)"
        " ORDER BY number DESC LIMIT 1",
        number,
        era,
    )


async def newest_drop(connection: asyncpg.Connection, action: str) -> asyncpg.Record | None:
    """Return the record of the newest dropping of old records; it covers what earlier ones dropped."""
    return await connection.fetchrow(
        "SELECT id, at, by, detail::text AS detail FROM audit_record WHERE subject_id = $1 AND action = $2"
        " ORDER BY (detail ->> 'through_seal')::bigint DESC, id DESC LIMIT 1",
        LOG[1],
        action,
    )


async def count_unsealed(connection: asyncpg.Connection, era: int, after: Snapshot) -> int:
    """Return how many records no seal covers yet."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM audit_record WHERE era = $1 AND (xid >= $2 OR xid = ANY ($3::bigint[]))",
        era,
        after.xmax,
        list(after.in_progress),
    )
    return count


async def first_unsealed_elsewhere(
    connection: asyncpg.Connection, present_era: int
) -> asyncpg.Record | None:
    """Return the first record of an era that is over which no seal covers."""
    # One look into the index for each era and each transaction in progress at its last seal, whatever there is.
    return await connection.fetchrow(
        """WITH RECURSIVE eras AS (
               (SELECT min(era) AS era FROM audit_record)
               UNION ALL SELECT (SELECT min(r.era) FROM audit_record r WHERE r.era > eras.era) FROM eras WHERE era IS NOT NULL)
           SELECT r.id, r.era FROM eras
           LEFT JOIN LATERAL (SELECT until_xid, in_progress FROM audit_seal s WHERE s.era = eras.era ORDER BY number DESC LIMIT 1)
                     last ON true
           CROSS JOIN LATERAL (
               SELECT id, era FROM audit_record r
               WHERE r.era = eras.era AND (r.xid >= coalesce(last.until_xid, 0) OR r.xid = ANY (last.in_progress))
               ORDER BY r.xid, r.id LIMIT 1) r
           WHERE eras.era <> $1 ORDER BY r.id LIMIT 1""",
        present_era,
    )
