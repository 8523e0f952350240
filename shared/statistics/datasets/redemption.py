"""Rewards that customers took for points, and those that came back."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT r.reward_code AS reward, {LEVEL} AS level, r.quantity, r.points, r.made
    FROM (
        SELECT customer_id, reward_code, quantity, points, true AS made FROM redemption
        WHERE at >= :first_at AND at < :after_at
        UNION ALL
        SELECT customer_id, reward_code, quantity, points, false FROM redemption
        WHERE state IN ('cancelled', 'reversed') AND settled_at >= :first_at AND settled_at < :after_at
    ) r JOIN customer c ON c.id = r.customer_id {MOVED}
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "redemption",
    Text("Redemptions of points", "积分兑换"),
    ("reward", "level"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="redemptions",
    others={
        "redemptions_returned": ("redemptions_returned",),
    },
)

INDICATORS = (
    Indicator(
        "redemptions",
        Text("Redemptions", "兑换次数"),
        Unit.TIMES,
        Family.MARKETING,
        "redemption",
        Aggregation.SUM,
        Text("Redemptions made in the period", "本期兑换次数"),
        "count(*) FILTER (WHERE made)",
    ),
    Indicator(
        "rewards_taken",
        Text("Rewards taken", "兑换礼品数"),
        Unit.PRODUCTS,
        Family.MARKETING,
        "redemption",
        Aggregation.SUM,
        Text("Rewards of `redemptions`", "本期兑换的礼品数量"),
        "sum(quantity) FILTER (WHERE made)",
    ),
    Indicator(
        "redemption_points",
        Text("Points of redemptions", "兑换所用积分"),
        Unit.POINTS,
        Family.MARKETING,
        "redemption",
        Aggregation.SUM,
        Text("Points that `redemptions` cost", "本期兑换所用的积分"),
        "sum(points) FILTER (WHERE made)",
    ),
    Indicator(
        "points_per_redemption",
        Text("Points per redemption", "次均兑换积分"),
        Unit.POINTS,
        Family.MARKETING,
        "redemption",
        Ratio("redemption_points", "redemptions"),
        Text("`redemption_points` / `redemptions`", "兑换所用积分 ÷ 兑换次数"),
    ),
    Indicator(
        "redemptions_returned",
        Text("Redemptions taken back", "撤销兑换次数"),
        Unit.TIMES,
        Family.MARKETING,
        "redemption",
        Aggregation.SUM,
        Text("Redemptions cancelled or reversed in the period", "本期撤销或冲正的兑换次数"),
        "count(*) FILTER (WHERE NOT made)",
    ),
)
