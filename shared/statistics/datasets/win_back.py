"""Attempts to win back customers who had left."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME_BEFORE, LEVEL, MOVED
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT w.channel, w.result AS win_back_result, {LEVEL} AS level, w.lost_monthly_charge_fen
    FROM win_back_attempt w JOIN customer c ON c.id = w.customer_id {MOVED}
    WHERE {CAME_BEFORE.format("w.at")} AND w.at >= :first_at AND w.at < :after_at
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "win_back",
    Text("Win-back", "挽回"),
    ("channel", "win_back_result", "level"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    late={"win_back_attempt": "at"},
    people="win_back_attempts",
    within={
        "win_back_refusals": Within(("win_back_result",), ("declined",)),
        "customers_returned": Within(("win_back_result",), ("returned",)),
        "returned_charge_fen": Within(("win_back_result",), ("returned",)),
    },
)

INDICATORS = (
    Indicator(
        "win_back_attempts",
        Text("Attempts to win back", "挽回尝试次数"),
        Unit.TIMES,
        Family.MARKETING,
        "win_back",
        Aggregation.SUM,
        Text("Attempts made in or planned for the period", "本期进行或计划的挽回次数"),
        "count(*)",
    ),
    Indicator(
        "win_back_refusals",
        Text("Attempts declined", "挽回被拒次数"),
        Unit.TIMES,
        Family.MARKETING,
        "win_back",
        Aggregation.SUM,
        Text("Those of `win_back_attempts` that were declined", "被客户拒绝的挽回次数"),
        "count(*) FILTER (WHERE win_back_result = 'declined')",
    ),
    Indicator(
        "customers_returned",
        Text("Customers won back", "挽回客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "win_back",
        Aggregation.SUM,
        Text("Those of `win_back_attempts` after which the customer returned", "挽回成功的客户数"),
        "count(*) FILTER (WHERE win_back_result = 'returned')",
    ),
    Indicator(
        "returned_charge_fen",
        Text("Monthly charge won back", "挽回月费"),
        Unit.FEN,
        Family.REVENUE,
        "win_back",
        Aggregation.SUM,
        Text("What `customers_returned` had paid a month, summed", "挽回成功客户离网前月费之和"),
        "sum(lost_monthly_charge_fen) FILTER (WHERE win_back_result = 'returned')",
    ),
    Indicator(
        "win_back_rate",
        Text("Win-back rate", "挽回成功率"),
        Unit.PERCENT,
        Family.MARKETING,
        "win_back",
        Ratio("customers_returned", "win_back_attempts", 100),
        Text("`customers_returned` / `win_back_attempts` × 100", "挽回客户数 ÷ 挽回尝试次数 × 100"),
    ),
)
