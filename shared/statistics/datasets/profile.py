"""What rows of several datasets say of the customer ``c`` that they belong to, in SQL.

A level is the one that the customer had at the period's end, as the migrations tell. Contract, sex, kind and monthly
charge are those at the time of counting.
"""

_MONTH_NUMBER = "date_part('year', {0})::int * 12 + date_part('month', {0})::int"
_MONTHS = f"""greatest(0, {_MONTH_NUMBER.format("reference.day")} - ({_MONTH_NUMBER.format("c.entry_date")})
        - (date_part('day', reference.day) < date_part('day', c.entry_date))::int)"""

LEVEL = "coalesce(m.level, c.level)"
MOVED = """LEFT JOIN (
        SELECT DISTINCT ON (customer_id) customer_id, from_level AS level FROM level_migration
        WHERE at >= :after_at ORDER BY customer_id, id
    ) m ON m.customer_id = c.id
    LEFT JOIN customer_ownership own ON own.customer_id = c.id"""
"""The level before the first move after the period, of those who moved since; and when who came from elsewhere came."""
HERE = "coalesce(own.came_on, c.entry_date) < :after"
"""Who is this city's by the end of the period: who came from another city counts there until that day."""
CAME = "(own.came_on IS NULL OR own.came_on < :after)"
"""Whose facts of the period are this city's."""
CAME_BEFORE = "(own.came_on IS NULL OR {} >= own.came_on::timestamp AT TIME ZONE 'Asia/Shanghai')"
"""The same of what happened at a moment."""

TENURE_MONTHS = f"""
    CROSS JOIN LATERAL (SELECT CASE WHEN c.left_on < :after THEN c.left_on ELSE :after - 1 END AS day) reference
    CROSS JOIN LATERAL (SELECT {_MONTHS} AS months) tenure"""
"""Whole months from entry to the period's last day. ``extract`` would do it in decimals, which takes twice the time."""
TENURE_BAND = """CASE WHEN tenure.months <= 12 THEN '0-12' WHEN tenure.months <= 24 THEN '13-24'
                WHEN tenure.months <= 48 THEN '25-48' WHEN tenure.months <= 60 THEN '49-60' ELSE '61+' END"""

_AGE = "date_part('year', age(:after - 1, c.birth_date))"
AGE_BAND = f"""CASE WHEN c.birth_date IS NULL THEN 'unknown' WHEN {_AGE} < 18 THEN '0-17' WHEN {_AGE} < 26 THEN '18-25'
                WHEN {_AGE} < 36 THEN '26-35' WHEN {_AGE} < 46 THEN '36-45' WHEN {_AGE} < 56 THEN '46-55'
                WHEN {_AGE} < 66 THEN '56-65' ELSE '66+' END"""
SPEND_BAND = """CASE WHEN c.monthly_charge_fen < 10000 THEN '0-99' WHEN c.monthly_charge_fen < 30000 THEN '100-299'
                WHEN c.monthly_charge_fen < 70000 THEN '300-699'
                WHEN c.monthly_charge_fen < 170000 THEN '700-1699' ELSE '1700+' END"""
