"""Contacts between customers and the operator."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME_BEFORE, LEVEL, MOVED
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT i.channel, i.kind AS interaction_kind, {LEVEL} AS level
    FROM interaction i JOIN customer c ON c.id = i.customer_id {MOVED}
    WHERE {CAME_BEFORE.format("i.at")} AND i.at >= :first_at AND i.at < :after_at
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "interaction",
    Text("Contacts with customers", "客户接触"),
    ("channel", "interaction_kind", "level"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    late={"interaction": "at"},
    people="interactions",
    within={
        "inquiries": Within(("interaction_kind",), ("inquiry",)),
        "complaints": Within(("interaction_kind",), ("complaint",)),
        "faults": Within(("interaction_kind",), ("fault",)),
        "visits": Within(("interaction_kind",), ("visit",)),
        "outreaches": Within(("interaction_kind",), ("outreach",)),
        "key_interactions": Within(("level",), ("standard",), excluded=True),
    },
)

INDICATORS = (
    Indicator(
        "interactions",
        Text("Contacts", "接触次数"),
        Unit.TIMES,
        Family.SERVICE,
        "interaction",
        Aggregation.SUM,
        Text("Contacts of every kind and channel", "各类接触次数"),
        "count(*)",
    ),
    Indicator(
        "inquiries",
        Text("Inquiries", "咨询次数"),
        Unit.TIMES,
        Family.SERVICE,
        "interaction",
        Aggregation.SUM,
        Text("Those of `interactions` that were inquiries", "咨询类接触次数"),
        "count(*) FILTER (WHERE interaction_kind = 'inquiry')",
    ),
    Indicator(
        "complaints",
        Text("Complaints", "投诉次数"),
        Unit.TIMES,
        Family.SERVICE,
        "interaction",
        Aggregation.SUM,
        Text("Those of `interactions` that were complaints", "投诉类接触次数"),
        "count(*) FILTER (WHERE interaction_kind = 'complaint')",
    ),
    Indicator(
        "faults",
        Text("Fault reports", "报障次数"),
        Unit.TIMES,
        Family.SERVICE,
        "interaction",
        Aggregation.SUM,
        Text("Those of `interactions` that reported a fault", "报障类接触次数"),
        "count(*) FILTER (WHERE interaction_kind = 'fault')",
    ),
    Indicator(
        "visits",
        Text("Visits", "走访次数"),
        Unit.TIMES,
        Family.MANAGERS,
        "interaction",
        Aggregation.SUM,
        Text("Those of `interactions` that were visits", "走访类接触次数"),
        "count(*) FILTER (WHERE interaction_kind = 'visit')",
    ),
    Indicator(
        "outreaches",
        Text("Contacts begun by the operator", "外呼次数"),
        Unit.TIMES,
        Family.MANAGERS,
        "interaction",
        Aggregation.SUM,
        Text("Those of `interactions` that the operator began", "主动联系的接触次数"),
        "count(*) FILTER (WHERE interaction_kind = 'outreach')",
    ),
    Indicator(
        "complaint_share",
        Text("Complaints per hundred contacts", "投诉占比"),
        Unit.PERCENT,
        Family.SERVICE,
        "interaction",
        Ratio("complaints", "interactions", 100),
        Text("`complaints` / `interactions` × 100", "投诉次数 ÷ 接触次数 × 100"),
    ),
    Indicator(
        "key_interactions",
        Text("Contacts with diamond, gold and silver customers", "钻金银客户接触次数"),
        Unit.TIMES,
        Family.SERVICE,
        "interaction",
        Aggregation.SUM,
        Text(
            "Those of `interactions` with customers above the standard level",
            "与钻石、金、银级客户的接触次数",
        ),
        "count(*) FILTER (WHERE level <> 'standard')",
    ),
)
