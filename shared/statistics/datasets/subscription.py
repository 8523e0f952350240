"""Lines at the end of a period, and those that began and ended in it."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT coalesce(s.brand, 'unknown') AS brand, {LEVEL} AS level, s.contract_term, s.status,
           s.ended_on IS NULL OR s.ended_on >= :after AS present,
           s.entry_date >= :first AS is_new,
           s.ended_on >= :first AND s.ended_on < :after AS has_ended
    FROM subscription s JOIN customer c ON c.id = s.customer_id {MOVED}
    WHERE {CAME} AND s.entry_date < :after AND (s.ended_on IS NULL OR s.ended_on >= :first)
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "subscription",
    Text("Lines by brand", "分品牌用户线"),
    ("brand", "level", "contract_term"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="lines",
    others={
        "new_lines": ("new_lines",),
        "ended_lines": ("ended_lines",),
        "lines_exposed": ("lines", "ended_lines"),
    },
    within={
        "contract_lines": Within(("contract_term",), ("one_year", "two_year")),
    },
)

INDICATORS = (
    Indicator(
        "lines",
        Text("Lines", "用户线数"),
        Unit.LINES,
        Family.VOLUME,
        "subscription",
        Aggregation.SNAPSHOT,
        Text(
            "Lines that began before the period's end and had not ended by then",
            "期末前开通且期末未销户的用户线数",
        ),
        "count(*) FILTER (WHERE present)",
    ),
    Indicator(
        "contract_lines",
        Text("Lines bound by a contract", "合约用户线数"),
        Unit.LINES,
        Family.VOLUME,
        "subscription",
        Aggregation.SNAPSHOT,
        Text("Those of `lines` bound for a year or more", "在用线中合约期为一年及以上的数量"),
        "count(*) FILTER (WHERE present AND contract_term IN ('one_year', 'two_year'))",
    ),
    Indicator(
        "contract_line_share",
        Text("Share of lines bound by a contract", "合约用户线占比"),
        Unit.PERCENT,
        Family.VOLUME,
        "subscription",
        Ratio("contract_lines", "lines", 100),
        Text("`contract_lines` / `lines` × 100", "合约用户线数 ÷ 用户线数 × 100"),
    ),
    Indicator(
        "suspended_lines",
        Text("Suspended lines", "停机用户线数"),
        Unit.LINES,
        Family.VOLUME,
        "subscription",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `lines` that are suspended when it is counted",
            "在用线中汇总时处于停机状态的数量",
        ),
        "count(*) FILTER (WHERE present AND status = 'suspended')",
    ),
    Indicator(
        "suspended_line_share",
        Text("Share of suspended lines", "停机率"),
        Unit.PERCENT,
        Family.VOLUME,
        "subscription",
        Ratio("suspended_lines", "lines", 100),
        Text("`suspended_lines` / `lines` × 100", "停机用户线数 ÷ 用户线数 × 100"),
    ),
    Indicator(
        "new_lines",
        Text("New lines", "新开用户线数"),
        Unit.LINES,
        Family.VOLUME,
        "subscription",
        Aggregation.SUM,
        Text("Lines that began in the period", "本期开通的用户线数"),
        "count(*) FILTER (WHERE is_new)",
    ),
    Indicator(
        "ended_lines",
        Text("Ended lines", "销户用户线数"),
        Unit.LINES,
        Family.VOLUME,
        "subscription",
        Aggregation.SUM,
        Text("Lines that ended in the period", "本期销户的用户线数"),
        "count(*) FILTER (WHERE has_ended)",
    ),
    Indicator(
        "lines_exposed",
        Text("Lines that could end", "销户率基数"),
        Unit.LINES,
        Family.VOLUME,
        "subscription",
        Aggregation.SUM,
        Text(
            "In each period `lines` + `ended_lines`; over several periods, line-periods",
            "每期在用线数与销户线数之和；跨期累加为线期数",
        ),
        "count(*) FILTER (WHERE present OR has_ended)",
    ),
    Indicator(
        "line_churn_rate",
        Text("Line churn rate", "销户率"),
        Unit.PERCENT,
        Family.VOLUME,
        "subscription",
        Ratio("ended_lines", "lines_exposed", 100),
        Text("`ended_lines` / `lines_exposed` × 100", "销户用户线数 ÷ 销户率基数 × 100"),
    ),
)
