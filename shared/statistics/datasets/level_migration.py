"""Moves of customers from a level to another in a period."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = """
    SELECT g.from_level, g.to_level AS level, c.kind AS customer_kind,
           array_position(ARRAY['standard', 'silver', 'gold', 'diamond'], g.to_level)
           - array_position(ARRAY['standard', 'silver', 'gold', 'diamond'], g.from_level) AS steps
    FROM level_migration g JOIN customer c ON c.id = g.customer_id
    WHERE g.at >= :first_at AND g.at < :after_at
"""

DATASET = Dataset(
    "level_migration",
    Text("Migration between levels", "级别迁移"),
    ("from_level", "level", "customer_kind"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="level_moves",
    within={
        "level_upgrades": Within(("from_level", "level")),
        "level_downgrades": Within(("from_level", "level")),
        "key_entries": Within(("from_level",), ("standard",)),
        "key_exits": Within(("level",), ("standard",)),
    },
)

INDICATORS = (
    Indicator(
        "level_moves",
        Text("Moves between levels", "级别变动次数"),
        Unit.TIMES,
        Family.CUSTOMERS,
        "level_migration",
        Aggregation.SUM,
        Text("Moves of customers from a level to another", "客户级别变动的次数"),
        "count(*)",
    ),
    Indicator(
        "level_upgrades",
        Text("Upgrades", "升级次数"),
        Unit.TIMES,
        Family.CUSTOMERS,
        "level_migration",
        Aggregation.SUM,
        Text("Those of `level_moves` to a higher level", "变动为更高级别的次数"),
        "count(*) FILTER (WHERE steps > 0)",
    ),
    Indicator(
        "level_downgrades",
        Text("Downgrades", "降级次数"),
        Unit.TIMES,
        Family.CUSTOMERS,
        "level_migration",
        Aggregation.SUM,
        Text("Those of `level_moves` to a lower level", "变动为更低级别的次数"),
        "count(*) FILTER (WHERE steps < 0)",
    ),
    Indicator(
        "upgrade_share",
        Text("Share of upgrades", "升级占比"),
        Unit.PERCENT,
        Family.CUSTOMERS,
        "level_migration",
        Ratio("level_upgrades", "level_moves", 100),
        Text("`level_upgrades` / `level_moves` × 100", "升级次数 ÷ 级别变动次数 × 100"),
    ),
    Indicator(
        "key_entries",
        Text("Entries into the levels of key customers", "升入钻金银次数"),
        Unit.TIMES,
        Family.CUSTOMERS,
        "level_migration",
        Aggregation.SUM,
        Text(
            "Those of `level_moves` from standard to a higher level", "由普通升入钻石、金、银的次数"
        ),
        "count(*) FILTER (WHERE from_level = 'standard')",
    ),
    Indicator(
        "key_exits",
        Text("Exits from the levels of key customers", "退出钻金银次数"),
        Unit.TIMES,
        Family.CUSTOMERS,
        "level_migration",
        Aggregation.SUM,
        Text("Those of `level_moves` to standard", "降为普通的次数"),
        "count(*) FILTER (WHERE level = 'standard')",
    ),
)
