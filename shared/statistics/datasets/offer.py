"""Offers granted and used in a period, by the level at the time of the grant."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = """
    SELECT offer_code AS offer, level, uses AS granted, NULL::int AS used, NULL::bigint AS cost_fen, NULL::boolean AS reversal
    FROM offer_grant
    WHERE granted_on >= :first AND granted_on < :after AND state NOT IN ('proposed', 'refused')
    UNION ALL
    SELECT u.offer_code, g.level, NULL, u.uses, u.cost_fen, u.reverses_id IS NOT NULL
    FROM offer_use u JOIN offer_grant g ON g.id = u.grant_id
    WHERE u.used_on >= :first AND u.used_on < :after
"""

DATASET = Dataset(
    "offer",
    Text("Preferential offers", "优惠"),
    ("offer", "level"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    late={"offer_grant": "granted_on", "offer_use": "used_on"},
    people="offer_grants",
    others={
        "offer_uses": ("offer_uses",),
        "offer_reversals": ("offer_uses",),
        "offer_cost_fen": ("offer_uses",),
    },
)

INDICATORS = (
    Indicator(
        "offer_grants",
        Text("Offers granted", "发放优惠数"),
        Unit.TIMES,
        Family.MARKETING,
        "offer",
        Aggregation.SUM,
        Text(
            "Grants of the period that were neither proposed only nor refused",
            "本期发放（不含待审批与被拒）的优惠数",
        ),
        "count(granted)",
    ),
    Indicator(
        "offer_uses_granted",
        Text("Uses granted", "发放优惠可用次数"),
        Unit.TIMES,
        Family.MARKETING,
        "offer",
        Aggregation.SUM,
        Text("Uses that `offer_grants` allow", "本期发放优惠的可用次数之和"),
        "sum(granted)",
    ),
    Indicator(
        "offer_uses",
        Text("Uses of offers", "优惠使用次数"),
        Unit.TIMES,
        Family.MARKETING,
        "offer",
        Aggregation.SUM,
        Text("Uses of the period, less those taken back", "本期使用次数减去冲回次数"),
        "sum(used)",
    ),
    Indicator(
        "offer_reversals",
        Text("Uses of offers taken back", "优惠冲回次数"),
        Unit.TIMES,
        Family.MARKETING,
        "offer",
        Aggregation.SUM,
        Text("Uses taken back in the period", "本期冲回的使用次数"),
        "count(*) FILTER (WHERE reversal)",
    ),
    Indicator(
        "offer_cost_fen",
        Text("Cost of offers", "优惠成本"),
        Unit.FEN,
        Family.MARKETING,
        "offer",
        Aggregation.SUM,
        Text("What `offer_uses` cost the operator", "优惠使用的成本"),
        "sum(cost_fen)",
    ),
    Indicator(
        "cost_per_use_fen",
        Text("Cost per use of an offer", "次均优惠成本"),
        Unit.FEN,
        Family.MARKETING,
        "offer",
        Ratio("offer_cost_fen", "offer_uses"),
        Text("`offer_cost_fen` / `offer_uses`", "优惠成本 ÷ 优惠使用次数"),
    ),
    Indicator(
        "offer_use_rate",
        Text("Uses per hundred granted", "优惠使用率"),
        Unit.PERCENT,
        Family.MARKETING,
        "offer",
        Ratio("offer_uses", "offer_uses_granted", 100),
        Text("`offer_uses` / `offer_uses_granted` × 100", "优惠使用次数 ÷ 发放优惠可用次数 × 100"),
    ),
)
