"""Requests for service between cities, begun and ended in a period, at either end."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = """
    SELECT kind AS request_kind, role AS request_role,
           created_at >= :first_at AND created_at < :after_at AS is_new,
           ended_at >= :first_at AND ended_at < :after_at AS has_ended,
           refusal_code IS NOT NULL AS refused, ended_at <= deadline AS on_time,
           floor(date_part('epoch', ended_at - created_at) / 60)::bigint AS minutes
    FROM service_request
    WHERE created_at < :after_at AND (ended_at IS NULL OR ended_at >= :first_at)
"""

DATASET = Dataset(
    "request",
    Text("Requests between cities", "跨地区服务请求"),
    ("request_kind", "request_role"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="requests_made",
    others={
        "requests_ended": ("requests_ended",),
        "requests_refused": ("requests_ended",),
        "requests_on_time": ("requests_ended",),
        "request_minutes": ("requests_ended",),
    },
)

INDICATORS = (
    Indicator(
        "requests_made",
        Text("Requests made", "新增跨地区请求数"),
        Unit.TIMES,
        Family.SERVICE,
        "request",
        Aggregation.SUM,
        Text("Requests begun in the period, at this end", "本期产生的请求数（本端）"),
        "count(*) FILTER (WHERE is_new)",
    ),
    Indicator(
        "requests_ended",
        Text("Requests ended", "办结跨地区请求数"),
        Unit.TIMES,
        Family.SERVICE,
        "request",
        Aggregation.SUM,
        Text(
            "Requests that ended in the period, whatever came of them", "本期结束的请求数，无论结果"
        ),
        "count(*) FILTER (WHERE has_ended)",
    ),
    Indicator(
        "requests_refused",
        Text("Requests refused", "被拒跨地区请求数"),
        Unit.TIMES,
        Family.SERVICE,
        "request",
        Aggregation.SUM,
        Text("Those of `requests_ended` that were refused", "结束请求中被拒绝的数量"),
        "count(*) FILTER (WHERE has_ended AND refused)",
    ),
    Indicator(
        "requests_on_time",
        Text("Requests ended in time", "按时办结请求数"),
        Unit.TIMES,
        Family.SERVICE,
        "request",
        Aggregation.SUM,
        Text("Those of `requests_ended` by their deadline", "结束请求中于期限前结束的数量"),
        "count(*) FILTER (WHERE has_ended AND on_time)",
    ),
    Indicator(
        "request_timeliness",
        Text("Share of requests ended in time", "跨地区请求按时率"),
        Unit.PERCENT,
        Family.SERVICE,
        "request",
        Ratio("requests_on_time", "requests_ended", 100),
        Text(
            "`requests_on_time` / `requests_ended` × 100", "按时办结请求数 ÷ 办结跨地区请求数 × 100"
        ),
    ),
    Indicator(
        "refusal_rate",
        Text("Share of requests refused", "跨地区请求拒绝率"),
        Unit.PERCENT,
        Family.SERVICE,
        "request",
        Ratio("requests_refused", "requests_ended", 100),
        Text(
            "`requests_refused` / `requests_ended` × 100",
            "被拒跨地区请求数 ÷ 办结跨地区请求数 × 100",
        ),
    ),
    Indicator(
        "request_minutes",
        Text("Time that requests took", "请求用时合计"),
        Unit.MINUTES,
        Family.SERVICE,
        "request",
        Aggregation.SUM,
        Text(
            "Whole minutes from beginning to end of `requests_ended`, summed",
            "结束请求的用时（整分钟）之和",
        ),
        "sum(minutes) FILTER (WHERE has_ended)",
    ),
    Indicator(
        "mean_request_minutes",
        Text("Mean time that a request took", "平均请求用时"),
        Unit.MINUTES,
        Family.SERVICE,
        "request",
        Ratio("request_minutes", "requests_ended"),
        Text("`request_minutes` / `requests_ended`", "请求用时合计 ÷ 办结跨地区请求数"),
    ),
)
