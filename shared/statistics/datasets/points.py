"""Points that came and went in a period, from the ledger."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, c.kind AS customer_kind, e.kind, e.points,
           e.credit_id = a.id AS gained
    FROM points_entry e
    JOIN points_account a ON a.id = CASE WHEN e.credit_id >= 1000 THEN e.credit_id ELSE e.debit_id END
    JOIN customer c ON c.id = a.customer_id {MOVED}
    WHERE e.at >= :first_at AND e.at < :after_at
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "points",
    Text("Movement of points", "积分变动"),
    ("level", "customer_kind"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="points_entries",
)

INDICATORS = (
    Indicator(
        "points_issued",
        Text("Points issued", "发放积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points that bills earned", "账单产生的积分"),
        "sum(points) FILTER (WHERE kind = 'accrual')",
    ),
    Indicator(
        "points_corrected",
        Text("Points taken back", "扣回积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points taken back because a bill became smaller or void", "因账单更正扣回的积分"),
        "sum(points) FILTER (WHERE kind = 'correction')",
    ),
    Indicator(
        "points_redeemed",
        Text("Points redeemed", "兑换积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points given for rewards", "用于兑换的积分"),
        "sum(points) FILTER (WHERE kind = 'redemption')",
    ),
    Indicator(
        "points_returned",
        Text("Points of redemptions taken back", "退回积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text(
            "Points returned because a redemption was cancelled or reversed",
            "因兑换撤销或冲正退回的积分",
        ),
        "sum(points) FILTER (WHERE kind = 'reversal')",
    ),
    Indicator(
        "points_expired",
        Text("Points expired", "到期积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points that expired unused", "到期未用的积分"),
        "sum(points) FILTER (WHERE kind = 'expiry')",
    ),
    Indicator(
        "points_granted",
        Text("Points added by hand", "人工增加积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points that somebody added", "人工调整增加的积分"),
        "sum(points) FILTER (WHERE kind = 'adjustment' AND gained)",
    ),
    Indicator(
        "points_withdrawn",
        Text("Points taken away by hand", "人工扣减积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points that somebody took away", "人工调整扣减的积分"),
        "sum(points) FILTER (WHERE kind = 'adjustment' AND NOT gained)",
    ),
    Indicator(
        "points_given",
        Text("Points that customers gave one another", "转赠积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points transferred, by who received them", "转赠的积分（按受赠客户）"),
        "sum(points) FILTER (WHERE kind = 'transfer')",
    ),
    Indicator(
        "points_forfeited",
        Text("Points forfeited", "作废积分"),
        Unit.POINTS,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Points of customers who were erased", "客户删除时作废的积分"),
        "sum(points) FILTER (WHERE kind = 'forfeiture')",
    ),
    Indicator(
        "redemption_rate",
        Text("Points redeemed per hundred issued", "积分兑换率"),
        Unit.PERCENT,
        Family.MARKETING,
        "points",
        Ratio("points_redeemed", "points_issued", 100),
        Text("`points_redeemed` / `points_issued` × 100", "兑换积分 ÷ 发放积分 × 100"),
    ),
    Indicator(
        "expiry_rate",
        Text("Points expired per hundred issued", "积分到期率"),
        Unit.PERCENT,
        Family.MARKETING,
        "points",
        Ratio("points_expired", "points_issued", 100),
        Text("`points_expired` / `points_issued` × 100", "到期积分 ÷ 发放积分 × 100"),
    ),
    Indicator(
        "points_entries",
        Text("Entries in the ledger of points", "积分账目笔数"),
        Unit.TIMES,
        Family.MARKETING,
        "points",
        Aggregation.SUM,
        Text("Entries of every kind", "各类积分账目的笔数"),
        "count(*)",
    ),
)
