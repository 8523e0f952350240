"""Ratings that hold at present; they go with the person."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT r.rating AS credit_rating, {LEVEL} AS level, c.kind AS customer_kind, r.score, r.limit_fen
    FROM credit_result r JOIN customer c ON c.id = r.customer_id {MOVED}
    WHERE {CAME} AND r.since < :after_at AND (r.until IS NULL OR r.until >= :after_at)
      AND c.entry_date < :after AND (c.left_on IS NULL OR c.left_on >= :after)
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "credit",
    Text("Credit ratings", "信誉度评定"),
    ("credit_rating", "level", "customer_kind"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    present_only=True,
    people="rated_customers",
)

INDICATORS = (
    Indicator(
        "rated_customers",
        Text("Customers with a credit rating", "已评信誉度客户数"),
        Unit.CUSTOMERS,
        Family.REVENUE,
        "credit",
        Aggregation.SNAPSHOT,
        Text("Customers in the network with a rating", "期末在网且有信誉度等级的客户数"),
        "count(*)",
    ),
    Indicator(
        "credit_marks",
        Text("Credit scores of all customers", "信誉度分合计"),
        Unit.MARKS,
        Family.REVENUE,
        "credit",
        Aggregation.SNAPSHOT,
        Text("Scores of `rated_customers`, summed", "已评客户的信誉度分之和"),
        "sum(score)",
    ),
    Indicator(
        "mean_credit_score",
        Text("Mean credit score", "平均信誉度分"),
        Unit.MARKS,
        Family.REVENUE,
        "credit",
        Ratio("credit_marks", "rated_customers"),
        Text("`credit_marks` / `rated_customers`", "信誉度分合计 ÷ 已评信誉度客户数"),
    ),
    Indicator(
        "credit_limit_fen",
        Text("Credit limits of all customers", "信用额度合计"),
        Unit.FEN,
        Family.REVENUE,
        "credit",
        Aggregation.SNAPSHOT,
        Text("Limits of `rated_customers`, summed", "已评客户的信用额度之和"),
        "sum(limit_fen)",
    ),
    Indicator(
        "mean_credit_limit_fen",
        Text("Mean credit limit", "户均信用额度"),
        Unit.FEN,
        Family.REVENUE,
        "credit",
        Ratio("credit_limit_fen", "rated_customers"),
        Text("`credit_limit_fen` / `rated_customers`", "信用额度合计 ÷ 已评信誉度客户数"),
    ),
)
