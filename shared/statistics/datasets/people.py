"""Customers as distinct people, and how their charges and tenure are spread: a sketch of each for each level."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Quantile
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import HERE, LEVEL, MOVED, TENURE_MONTHS
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, c.id AS customer_id, c.left_on IS NULL OR c.left_on >= :after AS present,
           c.left_on >= :first AND c.left_on < :after AS lost, tenure.months AS tenure_months, c.monthly_charge_fen
    FROM customer c {MOVED} {TENURE_MONTHS}
    WHERE {HERE}
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "people",
    Text("Customers as distinct people, and their spread", "客户去重与分布"),
    ("level",),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    people="distinct_customers",
)

_CHARGE = "CASE WHEN present THEN monthly_charge_fen END"
_TENURE = "CASE WHEN present THEN tenure_months END"

INDICATORS = (
    Indicator(
        "distinct_customers",
        Text("Distinct customers", "去重客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "people",
        Aggregation.DISTINCT,
        Text(
            "Customers who were in the network at any time of the periods, each once, wherever they were",
            "所查各期内曾在网的客户数，跨期、跨地区均去重",
        ),
        "CASE WHEN present OR lost THEN customer_id END",
    ),
    Indicator(
        "median_monthly_charge_fen",
        Text("Median monthly charge", "月费中位数"),
        Unit.FEN,
        Family.REVENUE,
        "people",
        Aggregation.DISTRIBUTION_AT_END,
        Text(
            "What half of the customers in the network at most pay a month at present",
            "半数在网客户的当前月费不超过此值",
        ),
        _CHARGE,
    ),
    Indicator(
        "p90_monthly_charge_fen",
        Text("Monthly charge, 90th percentile", "月费 90 分位数"),
        Unit.FEN,
        Family.REVENUE,
        "people",
        Quantile("median_monthly_charge_fen", 90),
        Text(
            "What 90 percent of the customers in the network at most pay a month at present",
            "九成在网客户的当前月费不超过此值",
        ),
    ),
    Indicator(
        "p99_monthly_charge_fen",
        Text("Monthly charge, 99th percentile", "月费 99 分位数"),
        Unit.FEN,
        Family.REVENUE,
        "people",
        Quantile("median_monthly_charge_fen", 99),
        Text(
            "What 99 percent of the customers in the network at most pay a month at present",
            "99% 的在网客户的当前月费不超过此值",
        ),
    ),
    Indicator(
        "median_tenure_months",
        Text("Median tenure", "在网时长中位数"),
        Unit.MONTHS,
        Family.CUSTOMERS,
        "people",
        Aggregation.DISTRIBUTION_AT_END,
        Text(
            "Whole months for which half of the customers in the network have been in it at most",
            "半数在网客户的在网整月数不超过此值",
        ),
        _TENURE,
    ),
    Indicator(
        "p90_tenure_months",
        Text("Tenure, 90th percentile", "在网时长 90 分位数"),
        Unit.MONTHS,
        Family.CUSTOMERS,
        "people",
        Quantile("median_tenure_months", 90),
        Text(
            "Whole months for which 90 percent of the customers in the network have been in it at most",
            "九成在网客户的在网整月数不超过此值",
        ),
    ),
)
