"""Account managers by how many customers each holds; customers without a manager stand under the unit 'unmanaged'."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import HERE, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT CASE WHEN h.manager_id IS NULL THEN 'unmanaged' ELSE coalesce(s.unit_code, 'unknown') END AS unit,
           CASE WHEN h.manager_id IS NULL THEN 'none' WHEN h.customers <= 50 THEN '1-50' WHEN h.customers <= 100 THEN '51-100'
                WHEN h.customers <= 200 THEN '101-200' ELSE '201+' END AS load_band,
           h.manager_id, h.customers, h.key_customers, h.charge_fen
    FROM (
        SELECT c.manager_id, count(*) AS customers, sum(c.monthly_charge_fen) AS charge_fen,
               count(*) FILTER (WHERE {LEVEL} <> 'standard') AS key_customers
        FROM customer c {MOVED}
        WHERE {HERE} AND (c.left_on IS NULL OR c.left_on >= :after)
        GROUP BY c.manager_id
    ) h LEFT JOIN staff_member s ON s.id = h.manager_id
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "account_manager",
    Text("Account managers and their loads", "客户经理负荷"),
    ("unit", "load_band"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    present_only=True,
    people="managed_customers",
    others={
        "unmanaged_key_customers": ("unmanaged_key_customers",),
    },
)

INDICATORS = (
    Indicator(
        "managers",
        Text("Account managers with customers", "在岗客户经理数"),
        Unit.MANAGERS,
        Family.MANAGERS,
        "account_manager",
        Aggregation.SNAPSHOT,
        Text("Account managers who hold at least one customer", "至少负责一名客户的客户经理数"),
        "count(manager_id)",
    ),
    Indicator(
        "managed_customers",
        Text("Customers with a manager", "有客户经理的客户数"),
        Unit.CUSTOMERS,
        Family.MANAGERS,
        "account_manager",
        Aggregation.SNAPSHOT,
        Text(
            "Customers in the network whom an account manager looks after",
            "已分配客户经理的在网客户数",
        ),
        "sum(customers) FILTER (WHERE manager_id IS NOT NULL)",
    ),
    Indicator(
        "customers_per_manager",
        Text("Customers per manager", "人均客户数"),
        Unit.CUSTOMERS,
        Family.MANAGERS,
        "account_manager",
        Ratio("managed_customers", "managers"),
        Text("`managed_customers` / `managers`", "有客户经理的客户数 ÷ 在岗客户经理数"),
    ),
    Indicator(
        "managed_key_customers",
        Text("Diamond, gold and silver customers with a manager", "有客户经理的钻金银客户数"),
        Unit.CUSTOMERS,
        Family.MANAGERS,
        "account_manager",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `managed_customers` above the standard level",
            "已分配客户经理的钻石、金、银级客户数",
        ),
        "sum(key_customers) FILTER (WHERE manager_id IS NOT NULL)",
    ),
    Indicator(
        "key_customers_per_manager",
        Text("Diamond, gold and silver customers per manager", "人均钻金银客户数"),
        Unit.CUSTOMERS,
        Family.MANAGERS,
        "account_manager",
        Ratio("managed_key_customers", "managers"),
        Text("`managed_key_customers` / `managers`", "有客户经理的钻金银客户数 ÷ 在岗客户经理数"),
    ),
    Indicator(
        "unmanaged_key_customers",
        Text("Diamond, gold and silver customers without a manager", "未分配经理的钻金银客户数"),
        Unit.CUSTOMERS,
        Family.MANAGERS,
        "account_manager",
        Aggregation.SNAPSHOT,
        Text(
            "Customers above the standard level whom nobody looks after",
            "未分配客户经理的钻石、金、银级客户数",
        ),
        "sum(key_customers) FILTER (WHERE manager_id IS NULL)",
    ),
    Indicator(
        "managed_charge_fen",
        Text("Monthly charge of customers with a manager", "客户经理管理的月应收"),
        Unit.FEN,
        Family.MANAGERS,
        "account_manager",
        Aggregation.SNAPSHOT,
        Text(
            "What `managed_customers` pay a month at present, summed",
            "有客户经理的客户当前月费之和",
        ),
        "sum(charge_fen) FILTER (WHERE manager_id IS NOT NULL)",
    ),
    Indicator(
        "charge_per_manager_fen",
        Text("Monthly charge per manager", "人均管理月应收"),
        Unit.FEN,
        Family.MANAGERS,
        "account_manager",
        Ratio("managed_charge_fen", "managers"),
        Text("`managed_charge_fen` / `managers`", "客户经理管理的月应收 ÷ 在岗客户经理数"),
    ),
    Indicator(
        "heaviest_load",
        Text("Most customers of one manager", "最高单人负荷"),
        Unit.CUSTOMERS,
        Family.MANAGERS,
        "account_manager",
        Aggregation.MAX,
        Text("The most customers that one account manager holds", "单名客户经理负责客户数的最大值"),
        "max(customers) FILTER (WHERE manager_id IS NOT NULL)",
    ),
)
