"""Tasks to verify profiles, begun and closed in a period."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT t.reason AS verification_reason, {LEVEL} AS level,
           t.created_at >= :first_at AND t.created_at < :after_at AS is_new,
           t.closed_at >= :first_at AND t.closed_at < :after_at AS is_closed,
           t.state, (t.closed_at AT TIME ZONE 'Asia/Shanghai')::date <= t.due_on AS on_time
    FROM verification_task t JOIN customer c ON c.id = t.customer_id {MOVED}
    WHERE t.created_at < :after_at AND (t.closed_at IS NULL OR t.closed_at >= :first_at)
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "verification",
    Text("Verification of profiles", "档案核实"),
    ("verification_reason", "level"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="verifications_due",
    others={
        "verifications_closed": ("verifications_closed",),
        "profiles_verified": ("verifications_closed",),
        "profiles_corrected": ("verifications_closed",),
        "customers_unreachable": ("verifications_closed",),
        "verifications_on_time": ("verifications_closed",),
    },
)

INDICATORS = (
    Indicator(
        "verifications_due",
        Text("Tasks to verify profiles", "新增核实任务数"),
        Unit.TASKS,
        Family.SERVICE,
        "verification",
        Aggregation.SUM,
        Text("Tasks made in the period", "本期产生的核实任务数"),
        "count(*) FILTER (WHERE is_new)",
    ),
    Indicator(
        "verifications_closed",
        Text("Tasks closed", "办结核实任务数"),
        Unit.TASKS,
        Family.SERVICE,
        "verification",
        Aggregation.SUM,
        Text("Tasks closed in the period", "本期办结的核实任务数"),
        "count(*) FILTER (WHERE is_closed)",
    ),
    Indicator(
        "profiles_verified",
        Text("Profiles found right", "核实无误档案数"),
        Unit.TASKS,
        Family.SERVICE,
        "verification",
        Aggregation.SUM,
        Text("Those of `verifications_closed` that changed nothing", "核实后无需更正的任务数"),
        "count(*) FILTER (WHERE is_closed AND state = 'verified')",
    ),
    Indicator(
        "profiles_corrected",
        Text("Profiles corrected", "核实更正档案数"),
        Unit.TASKS,
        Family.SERVICE,
        "verification",
        Aggregation.SUM,
        Text(
            "Those of `verifications_closed` that corrected the profile", "核实后作了更正的任务数"
        ),
        "count(*) FILTER (WHERE is_closed AND state = 'corrected')",
    ),
    Indicator(
        "customers_unreachable",
        Text("Customers not reached", "无法联系任务数"),
        Unit.TASKS,
        Family.SERVICE,
        "verification",
        Aggregation.SUM,
        Text(
            "Those of `verifications_closed` in which the customer was not reached",
            "无法联系到客户的任务数",
        ),
        "count(*) FILTER (WHERE is_closed AND state = 'unreachable')",
    ),
    Indicator(
        "verifications_on_time",
        Text("Tasks closed in time", "按时办结核实任务数"),
        Unit.TASKS,
        Family.SERVICE,
        "verification",
        Aggregation.SUM,
        Text(
            "Those of `verifications_closed` by the day on which they were due",
            "于到期日前办结的任务数",
        ),
        "count(*) FILTER (WHERE is_closed AND on_time)",
    ),
    Indicator(
        "verification_timeliness",
        Text("Share of tasks closed in time", "核实按时办结率"),
        Unit.PERCENT,
        Family.SERVICE,
        "verification",
        Ratio("verifications_on_time", "verifications_closed", 100),
        Text(
            "`verifications_on_time` / `verifications_closed` × 100",
            "按时办结核实任务数 ÷ 办结核实任务数 × 100",
        ),
    ),
)
