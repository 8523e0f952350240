"""Prospects found and closed in a period, and those that are open at its end, from their history."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = """
    SELECT target AS target_level, act, days, false AS open
    FROM prospect_event WHERE at >= :first_at AND at < :after_at
    UNION ALL
    SELECT target, NULL, NULL, true
    FROM (
        SELECT DISTINCT ON (prospect_id) prospect_id, target, to_state FROM prospect_event
        WHERE at < :after_at ORDER BY prospect_id, id DESC
    ) latest WHERE to_state IN ('found', 'qualified', 'nurtured')
"""

DATASET = Dataset(
    "prospect",
    Text("Prospects", "潜在大客户"),
    ("target_level",),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="prospects_open",
    others={
        "prospects_found": ("prospects_found",),
        "prospects_qualified": ("prospects_qualified",),
        "prospects_closed": ("prospects_closed",),
        "prospects_converted": ("prospects_closed",),
        "conversion_days": ("prospects_closed",),
    },
)

INDICATORS = (
    Indicator(
        "prospects_open",
        Text("Open prospects", "在跟进潜在大客户数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "prospect",
        Aggregation.SNAPSHOT,
        Text(
            "Prospects that are found, qualified or nurtured at the period's end",
            "期末处于发现、确认或培育状态的潜在大客户数",
        ),
        "count(*) FILTER (WHERE open)",
    ),
    Indicator(
        "prospects_found",
        Text("Prospects found", "新发现潜在大客户数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "prospect",
        Aggregation.SUM,
        Text("Prospects found in the period", "本期发现的潜在大客户数"),
        "count(*) FILTER (WHERE act = 'find')",
    ),
    Indicator(
        "prospects_qualified",
        Text("Prospects qualified", "确认潜在大客户数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "prospect",
        Aggregation.SUM,
        Text("Prospects qualified in the period", "本期确认的潜在大客户数"),
        "count(*) FILTER (WHERE act = 'qualify')",
    ),
    Indicator(
        "prospects_converted",
        Text("Prospects converted", "转化大客户数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "prospect",
        Aggregation.SUM,
        Text("Prospects that reached their level in the period", "本期转化为大客户的数量"),
        "count(*) FILTER (WHERE act = 'convert')",
    ),
    Indicator(
        "prospects_closed",
        Text("Prospects closed", "结束跟进数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "prospect",
        Aggregation.SUM,
        Text(
            "Prospects closed in the period, with or without success",
            "本期结束跟进的数量，无论成功与否",
        ),
        "count(*) FILTER (WHERE act IN ('convert', 'disqualify', 'drop', 'lapse'))",
    ),
    Indicator(
        "conversion_rate",
        Text("Conversion rate", "转化率"),
        Unit.PERCENT,
        Family.MARKETING,
        "prospect",
        Ratio("prospects_converted", "prospects_closed", 100),
        Text("`prospects_converted` / `prospects_closed` × 100", "转化大客户数 ÷ 结束跟进数 × 100"),
    ),
    Indicator(
        "conversion_days",
        Text("Days until conversion", "转化用时合计"),
        Unit.DAYS,
        Family.MARKETING,
        "prospect",
        Aggregation.SUM,
        Text("Days for which `prospects_converted` had been open, summed", "转化前跟进天数之和"),
        "sum(days) FILTER (WHERE act = 'convert')",
    ),
    Indicator(
        "mean_conversion_days",
        Text("Mean days until conversion", "平均转化用时"),
        Unit.DAYS,
        Family.MARKETING,
        "prospect",
        Ratio("conversion_days", "prospects_converted"),
        Text("`conversion_days` / `prospects_converted`", "转化用时合计 ÷ 转化大客户数"),
    ),
)
