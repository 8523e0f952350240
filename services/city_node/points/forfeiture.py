"""What becomes of the points of customers who are erased: forfeited, and their accounts closed. Entries stay."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.city_node.points.chart import EntryKind, SystemAccount

# ruff: noqa: S608 - put together from the texts of this module, never from input
_LOCK = """
    SELECT count(*) FROM (
        SELECT FROM points_account a JOIN points_balance b ON b.account_id = a.id
        WHERE a.customer_id = ANY($1::uuid[]) AND a.closed_at IS NULL ORDER BY a.id FOR UPDATE OF a, b) locked"""
_FORFEIT = f"""
    WITH closed AS (
        UPDATE points_account SET closed_at = $2::timestamptz, version = version + 1,
            frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL
        WHERE customer_id = ANY($1::uuid[]) AND closed_at IS NULL RETURNING id),
    gone AS (
        DELETE FROM points_lot l USING closed WHERE l.account_id = closed.id
        RETURNING l.account_id, l.expires_on, l.remaining),
    entered AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on)
        SELECT $2, '{EntryKind.FORFEITURE.value}', account_id, {SystemAccount.FORFEITED:d}, remaining, expires_on
        FROM gone WHERE remaining > 0 ORDER BY account_id, expires_on)
    UPDATE points_balance b SET balance = 0 FROM closed WHERE b.account_id = closed.id"""


async def forfeit(
    connection: asyncpg.Connection, customers: Sequence[UUID], *, at: datetime
) -> None:
    """Forfeit what customers who are locked still have, and close their accounts."""
    await connection.fetchval(_LOCK, customers)
    await connection.execute(_FORFEIT, customers, at)
