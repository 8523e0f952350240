"""Who used their lines: distinct people, counted once over cities and months."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, u.customer_id, u.used_data
    FROM (
        SELECT customer_id, bool_or(kind = 'data') AS used_data FROM usage_month
        WHERE period >= :first AND period < :after AND quantity > 0
        GROUP BY customer_id
    ) u JOIN customer c ON c.id = u.customer_id {MOVED}
    WHERE {CAME}
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "activity",
    Text("Customers who use their lines", "活跃客户"),
    ("level",),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    late={"usage_month": "period"},
    people="active_customers",
    others={"data_users": ("active_customers", "data_users")},
)

INDICATORS = (
    Indicator(
        "active_customers",
        Text("Distinct active customers", "去重活跃客户数"),
        Unit.CUSTOMERS,
        Family.VOLUME,
        "activity",
        Aggregation.DISTINCT,
        Text(
            "Customers whose lines were used in the periods, each once, wherever they were",
            "所查各期内有通信量的客户数，跨期、跨地区均去重",
        ),
        "customer_id",
    ),
    Indicator(
        "data_users",
        Text("Distinct users of data", "去重数据业务客户数"),
        Unit.CUSTOMERS,
        Family.VOLUME,
        "activity",
        Aggregation.DISTINCT,
        Text("Those of `active_customers` who used data", "活跃客户中使用数据业务的客户数"),
        "CASE WHEN used_data THEN customer_id END",
    ),
    Indicator(
        "data_user_share",
        Text("Share of active customers who use data", "数据业务客户占比"),
        Unit.PERCENT,
        Family.VOLUME,
        "activity",
        Ratio("data_users", "active_customers", 100),
        Text(
            "`data_users` / `active_customers` × 100", "去重数据业务客户数 ÷ 去重活跃客户数 × 100"
        ),
    ),
)
