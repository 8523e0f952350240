"""Whether the ledger is right: every balance the sum of its entries, every lot too, nothing lost, nothing twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
from sqlalchemy import text

from services.city_node.points.chart import FIRST_CUSTOMER_ACCOUNT
from shared.kernel.database import Database, driver_connection
from shared.kernel.language import Text

# ruff: noqa: S608 - put together from the texts of this module, never from input
EXAMPLES = 10
_MOVED = f"""(
    SELECT credit_id AS account_id, expires_on, points FROM points_entry WHERE credit_id >= {FIRST_CUSTOMER_ACCOUNT}
    UNION ALL
    SELECT debit_id, expires_on, -points FROM points_entry WHERE debit_id >= {FIRST_CUSTOMER_ACCOUNT})"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold.

    Attributes:
        code: short name.
        summary: what holds.
        breaches: SQL that gives a line of text for each place where it does not.
    """

    code: str
    summary: Text
    breaches: str


CHECKS = (
    Check(
        "balances",
        Text("each balance is the sum of the account's entries", "账户余额等于分录合计"),
        f"""
        SELECT format('account %s: balance %s, entries %s', account_id, coalesce(b.balance, 0), coalesce(e.points, 0)) AS breach
        FROM points_balance b FULL JOIN (
            SELECT account_id, sum(points) AS points FROM {_MOVED} m GROUP BY account_id) e USING (account_id)
        WHERE b.account_id IS NULL OR b.balance <> coalesce(e.points, 0)""",
    ),
    Check(
        "lots",
        Text("each lot holds what its entries left in it", "批次剩余等于分录合计"),
        f"""
        SELECT format('account %s, lot of %s: remaining %s, entries %s', account_id, expires_on, coalesce(l.remaining, 0),
                      coalesce(e.points, 0)) AS breach
        FROM points_lot l FULL JOIN (
            SELECT account_id, expires_on, sum(points) AS points FROM {_MOVED} m GROUP BY 1, 2) e USING (account_id, expires_on)
        WHERE coalesce(l.remaining, 0) <> coalesce(e.points, 0)""",
    ),
    Check(
        "nothing-negative",
        Text("no balance and no lot is negative", "余额与批次均不为负"),
        """
        SELECT format('account %s: balance %s', account_id, balance) AS breach FROM points_balance WHERE balance < 0
        UNION ALL
        SELECT format('account %s, lot of %s: %s', account_id, expires_on, remaining) FROM points_lot WHERE remaining < 0""",
    ),
    Check(
        "accounts",
        Text(
            "each account has a balance, and each customer one primary account",
            "账户与余额一一对应",
        ),
        """
        SELECT format('account %s has no balance', a.id) AS breach
        FROM points_account a LEFT JOIN points_balance b ON b.account_id = a.id WHERE b.account_id IS NULL
        UNION ALL
        SELECT format('customer %s has no primary account', customer_id) FROM points_account
        GROUP BY customer_id HAVING NOT bool_or(is_primary)""",
    ),
    Check(
        "bills",
        Text("each bill has in the ledger what it is said to have earned", "账单积分与分录一致"),
        """
        SELECT format('bill %s: said %s, entries %s', bill_id, coalesce(a.points, 0), coalesce(e.points, 0)) AS breach
        FROM points_accrual a FULL JOIN (
            SELECT bill_id, sum(CASE kind WHEN 'accrual' THEN points ELSE -points END) AS points
            FROM points_entry WHERE bill_id IS NOT NULL GROUP BY bill_id) e USING (bill_id)
        WHERE coalesce(a.points, 0) <> coalesce(e.points, 0)""",
    ),
    Check(
        "redemptions",
        Text(
            "each redemption took its points, and gave them back if it was cancelled or reversed",
            "兑换扣分与冲正一致",
        ),
        """
        SELECT format('redemption %s (%s): %s points, entries %s', r.id, r.state, r.points, coalesce(e.points, 0)) AS breach
        FROM redemption r LEFT JOIN (
            SELECT cause_id, sum(CASE kind WHEN 'redemption' THEN points ELSE -points END) AS points
            FROM points_entry WHERE kind IN ('redemption', 'reversal') GROUP BY cause_id) e ON e.cause_id = r.id
        WHERE coalesce(e.points, 0) <> CASE WHEN r.state IN ('cancelled', 'reversed') THEN 0 ELSE r.points END
        UNION ALL
        SELECT format('entry %s is of no redemption', e.id) FROM points_entry e
        WHERE e.kind IN ('redemption', 'reversal') AND NOT EXISTS (SELECT FROM redemption r WHERE r.id = e.cause_id)""",
    ),
    Check(
        "acts",
        Text("each adjustment and transfer moved its points, once", "调整与转赠各入账一次"),
        """
        SELECT format('adjustment %s (%s): %s points, entries %s', j.id, j.state, j.points, coalesce(e.points, 0)) AS breach
        FROM points_adjustment j LEFT JOIN (
            SELECT cause_id, sum(CASE WHEN debit_id = 4 THEN points ELSE -points END) AS points
            FROM points_entry WHERE kind = 'adjustment' GROUP BY cause_id) e ON e.cause_id = j.id
        WHERE coalesce(e.points, 0) <> CASE j.state WHEN 'done' THEN j.points ELSE 0 END
        UNION ALL
        SELECT format('transfer %s: %s points, entries %s', t.id, t.points, coalesce(e.points, 0))
        FROM points_transfer t LEFT JOIN (
            SELECT cause_id, sum(points) AS points FROM points_entry WHERE kind = 'transfer' GROUP BY cause_id) e ON e.cause_id = t.id
        WHERE t.points <> coalesce(e.points, 0)""",
    ),
)
"""What ``guanxi points verify`` checks."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: how many breaches, and some of them."""

    check: Check
    breaches: int
    examples: Sequence[str]


async def verify(database: Database) -> list[Finding]:
    """Check everything, as of one moment."""
    async with database.transaction() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        connection = await driver_connection(session)
        return [await _run(connection, check) for check in CHECKS]


async def _run(connection: asyncpg.Connection, check: Check) -> Finding:
    rows = await connection.fetch(
        f"SELECT breach, count(*) OVER () AS found FROM ({check.breaches}) b LIMIT {EXAMPLES}"
    )
    return Finding(check, rows[0]["found"] if rows else 0, [row["breach"] for row in rows])
