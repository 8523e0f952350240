"""How a customer's points are read: what there is, the statement with its running balance, and what bills earned."""

from services.city_node.customer.parts import TODAY, Part
from services.city_node.customer.profile import SOURCE
from services.city_node.points.chart import FIRST_CUSTOMER_ACCOUNT
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from declarations, never from input
EXPIRIES_SHOWN = 12


def _points(customer: str, today: str) -> str:
    """Return the SQL of what a customer has, as JSON."""
    live = f"""
        FROM points_lot l JOIN points_account a ON a.id = l.account_id
        WHERE a.customer_id = {customer} AND l.remaining > 0 AND l.expires_on > {today}::date"""
    return f"""(
        SELECT json_build_object(
            'customer_id', {customer}, 'balance', coalesce(sum(b.balance), 0),
            'available', CASE WHEN bool_or(a.frozen_at IS NOT NULL) THEN 0 ELSE (SELECT coalesce(sum(l.remaining), 0) {live}) END,
            'frozen', coalesce(bool_or(a.frozen_at IS NOT NULL), false), 'frozen_at', min(a.frozen_at),
            'frozen_by', min(a.frozen_by), 'frozen_reason', min(a.frozen_reason),
            'expiries', (SELECT coalesce(json_agg(e), '[]') FROM (
                SELECT l.expires_on, sum(l.remaining)::bigint AS points {live} GROUP BY 1 ORDER BY 1 LIMIT {EXPIRIES_SHOWN}) e))
        FROM points_account a JOIN points_balance b ON b.account_id = a.id WHERE a.customer_id = {customer})"""


part = Part("points", _points("c.id", TODAY), versioned=False)
"""What the customer has, and what expires next."""

READ = f"SELECT {_points('c.id', '$3')}::text FROM {SOURCE} WHERE c.id = $1 AND starts_with(u.path, $2)"
"""The points of one customer below a unit, on a day."""

_FIRST = FIRST_CUSTOMER_ACCOUNT
_LINES = f"""(
    SELECT e.id, e.at, e.kind, e.points, e.expires_on, e.bill_id, e.cause_id, a.customer_id, a.id AS account_id
    FROM points_entry e JOIN points_account a ON a.id = e.credit_id WHERE e.credit_id >= {_FIRST}
    UNION ALL
    SELECT e.id, e.at, e.kind, -e.points, e.expires_on, e.bill_id, e.cause_id, a.customer_id, a.id
    FROM points_entry e JOIN points_account a ON a.id = e.debit_id WHERE e.debit_id >= {_FIRST})"""
"""The ledger as customers see it: a transfer is a line for each of the two."""

# The balance runs within a customer, so that PostgreSQL reads the one customer's lines alone.
_RUNNING = f"""(
    SELECT l.*, (sum(l.points) OVER (PARTITION BY l.customer_id ORDER BY l.id, l.account_id))::bigint AS balance
    FROM {_LINES} l)"""

entries = Listing(
    source=f"{_RUNNING} e",
    key=Sort("e.account_id", "bigint"),
    columns={
        name: f"e.{name}"
        for name in ("id", "at", "kind", "points", "balance", "expires_on", "bill_id", "cause_id")
    },
    sorts={"id": Sort("e.id", "bigint")},
    filters={
        "customer": "e.customer_id = {}",
        "kind": "e.kind = {}",
        "from": "e.at >= {}",
        "before": "e.at < {}",
    },
)
"""The statement of a customer, who was found in scope before."""

_EXPLANATION = """json_build_object(
    'zh', format('%s 账单 %s 元，按积分规则“%s”、%s级倍率 %s‰%s，得 %s 分%s。', to_char(b.period, 'YYYY-MM'),
                 (a.charge_fen / 100.0)::numeric(20, 2), p.reference, a.level, a.rate_permille,
                 CASE WHEN a.campaign IS NOT NULL THEN format('、活动 %s', a.campaign) ELSE '' END, a.points,
                 CASE WHEN a.waived > 0 THEN format('（账单更正，其中 %s 分已使用、不再扣回）', a.waived) ELSE '' END),
    'en', format('The bill of %s for %s yuan earned %s points by the policy "%s": as %s customer at %s per mille%s%s.',
                 to_char(b.period, 'YYYY-MM'), (a.charge_fen / 100.0)::numeric(20, 2), a.points, p.reference, a.level, a.rate_permille,
                 CASE WHEN a.campaign IS NOT NULL THEN format(', in campaign %s', a.campaign) ELSE '' END,
                 CASE WHEN a.waived > 0 THEN format('; %s of them had been used when the bill became smaller', a.waived) ELSE '' END))"""
accruals = Listing(
    source="points_accrual a JOIN points_basis p ON p.id = a.basis_id JOIN bill b ON b.id = a.bill_id",
    key=Sort("a.bill_id", "bigint"),
    columns={
        "bill_id": "a.bill_id",
        "period": "b.period",
        **{
            name: f"a.{name}"
            for name in (
                *("charge_fen", "points", "waived", "level", "rate_permille", "campaign"),
                "expires_on",
            )
        },
        "policy": "p.reference",
        "explanation": _EXPLANATION,
    },
    sorts={"period": Sort("b.period", "date")},
    filters={"customer": "b.customer_id = {}"},
)
"""What a customer's bills earned, and why."""
