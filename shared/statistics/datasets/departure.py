"""Customers who left in a period, by why and to whom."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import LEVEL, MOVED
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT coalesce(c.left_reason, 'unknown') AS departure_reason, coalesce(c.left_competitor, 'none') AS competitor,
           {LEVEL} AS level, c.monthly_charge_fen
    FROM customer c {MOVED}
    WHERE c.left_on >= :first AND c.left_on < :after
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "departure",
    Text("Departures", "离网去向"),
    ("departure_reason", "competitor", "level"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    late={"customer": "left_on"},
    people="departures",
    within={
        "departed_to_competitor": Within(("competitor",), ("none",), excluded=True),
    },
)

INDICATORS = (
    Indicator(
        "departures",
        Text("Departures", "离网客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "departure",
        Aggregation.SUM,
        Text(
            "Customers who left in the period and have not returned", "本期离网且尚未回网的客户数"
        ),
        "count(*)",
    ),
    Indicator(
        "departed_charge_fen",
        Text("Monthly charge of departures", "离网客户月费"),
        Unit.FEN,
        Family.REVENUE,
        "departure",
        Aggregation.SUM,
        Text("What `departures` last paid a month, summed", "离网客户最后月费之和"),
        "sum(monthly_charge_fen)",
    ),
    Indicator(
        "departed_to_competitor",
        Text("Departures to a competitor", "转投竞争对手客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "departure",
        Aggregation.SUM,
        Text(
            "Those of `departures` who went to another operator that is known",
            "离网客户中去向为竞争对手的客户数",
        ),
        "count(*) FILTER (WHERE competitor <> 'none')",
    ),
    Indicator(
        "competitor_share",
        Text("Share of departures to a competitor", "转投竞争对手占比"),
        Unit.PERCENT,
        Family.CUSTOMERS,
        "departure",
        Ratio("departed_to_competitor", "departures", 100),
        Text(
            "`departed_to_competitor` / `departures` × 100", "转投竞争对手客户数 ÷ 离网客户数 × 100"
        ),
    ),
)
