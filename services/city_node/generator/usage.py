"""Usage, made within PostgreSQL from the bills: what a line was charged, by kind and hours.

Each line has habits, drawn by a hash of its id and the seed: which kinds it uses at all. Each month wavers by another
hash. What the kinds are charged adds up to less than the bill; the rest is the plan's fee.
"""

from uuid import UUID

import asyncpg

# Kind, band of hours, lowest bit of the hash it is drawn from, lines in 128 that have it, percent of the bill, and
# units for a fen: seconds, messages, kilobytes.
_MIX = """(VALUES
    ('voice_local', 'day', 0, 125, 14, 4.0), ('voice_local', 'evening', 3, 122, 12, 4.0),
    ('voice_local', 'night', 6, 60, 4, 4.5), ('voice_long_distance', 'day', 9, 60, 10, 3.0),
    ('voice_long_distance', 'evening', 12, 48, 6, 3.0), ('voice_roaming', 'all', 15, 16, 12, 1.0),
    ('sms', 'all', 18, 105, 4, 0.1), ('data', 'all', 21, 122, 30, 340.0)
) AS mix (kind, band, bit, likelihood, percent, units)"""

_INSERT = f"""
    INSERT INTO usage_month (subscription_id, customer_id, quantity, charge_fen, period, kind, band)
    SELECT line.subscription_id, line.customer_id, (line.charge_fen * percent * wavering * units / 100)::bigint,
           (line.charge_fen * percent * wavering / 100)::bigint, line.period, kind, band
    FROM (SELECT b.*, uuid_hash_extended(b.subscription_id, $3) AS habit,
                 uuid_hash_extended(b.subscription_id, $3 + (b.period - '2000-01-01')) AS month
          FROM bill b WHERE b.customer_id >= $1 AND b.customer_id <= $2 ORDER BY b.period, b.customer_id) line
    CROSS JOIN {_MIX}
    CROSS JOIN LATERAL (SELECT 0.75::float8 + ((line.month >> bit) & 255) / 1024.0::float8 AS wavering) chance
    WHERE (line.habit >> bit) & 127 < likelihood"""  # noqa: S608 - constants alone


async def add_usage(connection: asyncpg.Connection, first: UUID, last: UUID, seed: int) -> int:
    """Make the usage of the customers from ``first`` to ``last``, month after month; returns how many rows."""
    status = await connection.execute(_INSERT, first, last, seed)
    return int(status.split()[-1])
