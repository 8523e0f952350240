"""Ending grants whose last day has passed, or whose customer has left: what they still hold goes back to the quotas."""

from datetime import datetime

from services.city_node.offer.life import TRANSITIONS, Act, GrantState
from shared.kernel.clock import business_day
from shared.kernel.database import Database, driver_connection

# ruff: noqa: S608 - put together from the states of a grant, never from input
PORTION = 5000
_ENDING = ", ".join(f"'{state}'" for state in TRANSITIONS[Act.EXPIRE])
# Whoever is at work on a grant keeps it: it ends in the next run. What goes back is added up for each quota first, and
# grants are locked before quotas, as everywhere.
_STATEMENT = f"""
    WITH ended AS (
        UPDATE offer_grant g SET state = '{GrantState.EXPIRED.value}', version = g.version + 1
        FROM (SELECT g.id FROM offer_grant g JOIN customer c ON c.id = g.customer_id
              WHERE g.state IN ({_ENDING}) AND {{}} ORDER BY g.valid_until LIMIT $2 FOR UPDATE OF g SKIP LOCKED) due
        WHERE g.id = due.id
        RETURNING g.offer_code, g.quota_year, g.quota_unit, g.uses - g.used AS uses, g.cost_fen),
    back AS (
        UPDATE offer_quota q SET reserved = q.reserved - b.uses, reserved_fen = q.reserved_fen - b.fen
        FROM (SELECT offer_code, quota_year, quota_unit, sum(uses)::bigint AS uses, sum(uses * cost_fen)::bigint AS fen
              FROM ended WHERE quota_unit IS NOT NULL GROUP BY 1, 2, 3) b
        WHERE q.offer_code = b.offer_code AND q.year = b.quota_year AND q.unit_code = b.quota_unit)
    SELECT count(*) FROM ended"""
# Apart, so that an index answers the first: at the end of a quarter it is nearly everything that is granted.
_STATEMENTS = (
    _STATEMENT.format("g.valid_until <= $1"),
    _STATEMENT.format("g.valid_until > $1 AND c.library <> 'in_network'"),
)


async def expire(database: Database, *, now: datetime, portion: int = PORTION) -> int:
    """End what is due, in portions, each in a transaction of its own; return how many grants ended."""
    total = 0
    for statement in _STATEMENTS:
        ended = portion
        while ended == portion:
            async with database.transaction() as session:
                connection = await driver_connection(session)
                ended = await connection.fetchval(statement, business_day(now), portion)
            total += ended
    return total
