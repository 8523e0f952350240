"""Dropping old records: whole seals of them, from the first on, by whoever owns the tables.

The seals stay, with the digests of what they covered, so that the chain can still be checked and a copy of the records
kept elsewhere can still be compared with it. That, how much and by whom is itself a record, sealed like any other.
"""

from datetime import datetime, timedelta

import asyncpg
import orjson

from shared.audit import repository
from shared.audit.models import Source
from shared.audit.problems import RetentionRunning
from shared.audit.repository import BEGINNING, LOG, Range
from shared.audit.sealing import snapshot_of
from shared.capability import Action
from shared.kernel.language import Text

DROPPED = Action("audit.dropped", Text("Old records were dropped", "删除到期的审计记录"))


async def drop(
    owner: asyncpg.Connection, *, before: datetime, keep: timedelta, by: str, now: datetime
) -> tuple[int, int]:
    """Drop the records of the seals that hold only records from before a moment.

    Args:
        owner: a connection as the owner of the tables; the node's role may not.
        before: the moment.
        keep: how long records have to be kept.
        by: who does it.
        now: the present moment.

    Returns:
        The number of the last seal without records, and how many records were dropped now.

    Raises:
        RetentionRunning: if ``before`` is younger than what has to be kept.
    """
    if before > now - keep:
        raise RetentionRunning(before=before.isoformat(), days=keep.days)
    async with owner.transaction():
        through = await repository.sealed_before(owner, before)
        earlier = await repository.newest_drop(owner, DROPPED.code)
        done = orjson.loads(earlier["detail"])["through_seal"] if earlier else 0
        if through <= done:
            return done, 0
        dropped = 0
        after: dict[int, repository.Snapshot] = {}
        async for seal in repository.seals_from(owner, 1):
            if seal["number"] > through:
                break
            until = snapshot_of(seal)
            if seal["number"] > done:
                covered = Range(seal["era"], after.get(seal["era"], BEGINNING), until)
                dropped += await repository.delete_range(owner, covered)
            after[seal["era"]] = until
        total = dropped + (orjson.loads(earlier["detail"])["records"] if earlier else 0)
        await owner.execute(
            "INSERT INTO audit_record (at, by, action, subject_type, subject_id, source, detail)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb)",
            now,
            by,
            DROPPED.code,
            *LOG,
            Source.COMMAND.value,
            orjson.dumps(
                {"through_seal": through, "records": total, "before": before.isoformat()}
            ).decode(),
        )
    return through, dropped
