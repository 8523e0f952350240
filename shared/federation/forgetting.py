"""What a node forgets of the messages that it sent and received, and when."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def forget_acknowledged(session: AsyncSession, *, before: datetime) -> None:
    """Delete messages whose receipt was given before that moment, and those of a release that kept no receipts."""
    await session.execute(
        text(
            """
            DELETE FROM federation_outbox o USING (
                SELECT l.peer, l.lane, l.acknowledged, coalesce(max(r.number), 0) AS receipted
                FROM federation_lane l
                LEFT JOIN federation_receipt r
                    ON r.peer = l.peer AND r.lane = l.lane AND r.direction = 'out' AND r.at < :before
                WHERE l.direction = 'out' GROUP BY l.peer, l.lane, l.acknowledged
            ) done
            WHERE o.peer = done.peer AND o.lane = done.lane
                AND (o.sequence <= done.receipted
                     OR (o.sequence <= done.acknowledged AND o.link IS NULL AND o.posted_at < :before))
            """
        ),
        {"before": before},
    )


async def forget_settled(session: AsyncSession, *, before: datetime, most: int) -> int:
    """Delete messages that came before that moment and are settled; returns how many, at most ``most``.

    With them goes the knowledge that they have come: whoever brings one again after so long is not recognised. The
    lanes' cursors stay for ever, so only a restored node could, and what it sends again is younger.
    """
    found = await session.execute(
        text(
            """
            WITH old AS (
                SELECT arrival FROM federation_inbox
                WHERE received_at < :before AND state <> 'parked' ORDER BY received_at LIMIT :most
            ), gone AS (
                DELETE FROM federation_inbox USING old WHERE federation_inbox.arrival = old.arrival RETURNING 1
            )
            SELECT count(*) FROM gone
            """
        ),
        {"before": before, "most": most},
    )
    return int(found.scalar_one())
