"""What customers have in points at the end of a period: what is there now, less what has moved since."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, c.kind AS customer_kind, l.points, l.expiring
    FROM (
        SELECT account_id, sum(points) AS points, sum(points) FILTER (WHERE expires_on < :after + 90) AS expiring
        FROM (
            SELECT account_id, expires_on, remaining AS points FROM points_lot
            UNION ALL
            SELECT credit_id, expires_on, -points FROM points_entry WHERE at >= :after_at AND credit_id >= 1000
            UNION ALL
            SELECT debit_id, expires_on, points FROM points_entry WHERE at >= :after_at AND debit_id >= 1000
        ) moved_since
        GROUP BY account_id
    ) l JOIN points_account a ON a.id = l.account_id JOIN customer c ON c.id = a.customer_id {MOVED}
    WHERE l.points <> 0
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "liability",
    Text("Liability of points", "积分负债"),
    ("level", "customer_kind"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    people="points_accounts",
)

INDICATORS = (
    Indicator(
        "points_liability",
        Text("Points that customers have", "积分余额"),
        Unit.POINTS,
        Family.MARKETING,
        "liability",
        Aggregation.SNAPSHOT,
        Text("What is in customers' accounts at the period's end", "期末客户账户中的积分"),
        "sum(points)",
    ),
    Indicator(
        "points_accounts",
        Text("Accounts with points", "有积分的账户数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "liability",
        Aggregation.SNAPSHOT,
        Text("Accounts that hold points at the period's end", "期末有积分的账户数"),
        "count(*)",
    ),
    Indicator(
        "points_expiring",
        Text("Points that expire within 90 days", "90 天内到期积分"),
        Unit.POINTS,
        Family.MARKETING,
        "liability",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `points_liability` that expire within 90 days after the period",
            "积分余额中期末后 90 天内到期的积分",
        ),
        "sum(expiring)",
    ),
    Indicator(
        "points_expiring_share",
        Text("Share of points that expire within 90 days", "90 天内到期积分占比"),
        Unit.PERCENT,
        Family.MARKETING,
        "liability",
        Ratio("points_expiring", "points_liability", 100),
        Text("`points_expiring` / `points_liability` × 100", "90 天内到期积分 ÷ 积分余额 × 100"),
    ),
    Indicator(
        "points_per_account",
        Text("Points per account", "户均积分"),
        Unit.PER_CUSTOMER,
        Family.MARKETING,
        "liability",
        Ratio("points_liability", "points_accounts"),
        Text("`points_liability` / `points_accounts`", "积分余额 ÷ 有积分的账户数"),
    ),
)
