"""How complete profiles are at present."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import HERE, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, c.kind AS customer_kind, s.score
    FROM customer_completeness s JOIN customer c ON c.id = s.customer_id {MOVED}
    WHERE {HERE} AND (c.left_on IS NULL OR c.left_on >= :after)
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "completeness",
    Text("Completeness of profiles", "档案完整度"),
    ("level", "customer_kind"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    present_only=True,
    people="scored_profiles",
)

INDICATORS = (
    Indicator(
        "scored_profiles",
        Text("Profiles looked at", "已评完整度档案数"),
        Unit.CUSTOMERS,
        Family.SERVICE,
        "completeness",
        Aggregation.SNAPSHOT,
        Text(
            "Customers in the network whose profile has a score of completeness",
            "期末在网且有完整度评分的客户数",
        ),
        "count(*)",
    ),
    Indicator(
        "completeness_marks",
        Text("Scores of completeness", "完整度分合计"),
        Unit.MARKS,
        Family.SERVICE,
        "completeness",
        Aggregation.SNAPSHOT,
        Text("Scores of `scored_profiles`, summed", "完整度评分之和"),
        "sum(score)",
    ),
    Indicator(
        "mean_completeness",
        Text("Mean completeness", "平均完整度"),
        Unit.MARKS,
        Family.SERVICE,
        "completeness",
        Ratio("completeness_marks", "scored_profiles"),
        Text("`completeness_marks` / `scored_profiles`", "完整度分合计 ÷ 已评完整度档案数"),
    ),
    Indicator(
        "complete_profiles",
        Text("Complete profiles", "完整档案数"),
        Unit.CUSTOMERS,
        Family.SERVICE,
        "completeness",
        Aggregation.SNAPSHOT,
        Text("Those of `scored_profiles` that lack nothing", "完整度为 100 的档案数"),
        "count(*) FILTER (WHERE score = 100)",
    ),
    Indicator(
        "lowest_completeness",
        Text("Lowest completeness", "最低完整度"),
        Unit.MARKS,
        Family.SERVICE,
        "completeness",
        Aggregation.MIN,
        Text("The least score of a profile", "完整度评分的最小值"),
        "min(score)",
    ),
)
