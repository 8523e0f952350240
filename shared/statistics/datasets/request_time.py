"""How the time is spread that requests between cities took, at either end."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Quantile
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = """
    SELECT kind AS request_kind, role AS request_role,
           floor(date_part('epoch', ended_at - created_at) / 60)::bigint AS minutes
    FROM service_request
    WHERE ended_at >= :first_at AND ended_at < :after_at
"""

DATASET = Dataset(
    "request_time",
    Text("Time that requests between cities took", "跨地区服务请求用时分布"),
    ("request_kind", "request_role"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
)

INDICATORS = (
    Indicator(
        "median_request_minutes",
        Text("Median time that a request took", "请求用时中位数"),
        Unit.MINUTES,
        Family.SERVICE,
        "request_time",
        Aggregation.DISTRIBUTION,
        Text(
            "Whole minutes from beginning to end that half of the requests that ended took at most",
            "半数办结请求的用时（整分钟）不超过此值",
        ),
        "minutes",
    ),
    Indicator(
        "p90_request_minutes",
        Text("Time that a request took, 90th percentile", "请求用时 90 分位数"),
        Unit.MINUTES,
        Family.SERVICE,
        "request_time",
        Quantile("median_request_minutes", 90),
        Text(
            "Whole minutes from beginning to end that 90 percent of the requests that ended took at most",
            "九成办结请求的用时（整分钟）不超过此值",
        ),
    ),
    Indicator(
        "p99_request_minutes",
        Text("Time that a request took, 99th percentile", "请求用时 99 分位数"),
        Unit.MINUTES,
        Family.SERVICE,
        "request_time",
        Quantile("median_request_minutes", 99),
        Text(
            "Whole minutes from beginning to end that 99 percent of the requests that ended took at most",
            "99% 的办结请求的用时（整分钟）不超过此值",
        ),
    ),
)
