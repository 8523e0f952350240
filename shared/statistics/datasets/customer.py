"""Customers at the end of a period, and who came and went in it."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import HERE, LEVEL, MOVED, TENURE_BAND, TENURE_MONTHS
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, c.contract_term, {TENURE_BAND} AS tenure_band, c.sex, c.kind,
           coalesce(own.came_on, c.entry_date) AS entry_date,
           c.left_on IS NULL OR c.left_on >= :after AS present,
           c.left_on >= :first AND c.left_on < :after AS lost,
           {LEVEL} IN ('diamond', 'gold', 'silver') AS is_key,
           tenure.months AS tenure_months, c.monthly_charge_fen, lines.subscriptions
    FROM customer c {MOVED} {TENURE_MONTHS}
    LEFT JOIN (
        SELECT customer_id, count(*) AS subscriptions FROM subscription
        WHERE entry_date < :after AND (ended_on IS NULL OR ended_on >= :after)
        GROUP BY customer_id
    ) lines ON lines.customer_id = c.id
    WHERE {HERE}
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "customer",
    Text("Customers and their movement", "客户及其变动"),
    ("level", "contract_term", "tenure_band", "sex"),
    frozenset({PeriodKind.MONTH, PeriodKind.DAY}),
    _ROWS,
    people="customers",
    others={
        "retained_customers": ("retained_customers",),
        "new_customers": ("new_customers",),
        "lost_customers": ("lost_customers",),
        "lost_key_customers": ("lost_customers",),
        "lost_monthly_charge_fen": ("lost_customers",),
        "customers_exposed": ("customers", "lost_customers"),
    },
    within={
        "key_customers": Within(("level",), ("standard",), excluded=True),
        "key_monthly_charge_fen": Within(("level",), ("standard",), excluded=True),
        "lost_key_customers": Within(("level",), ("standard",), excluded=True),
        "long_contract_customers": Within(("contract_term",), ("one_year", "two_year")),
    },
)

INDICATORS = (
    Indicator(
        "customers",
        Text("Customers in the network", "在网客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SNAPSHOT,
        Text(
            "Customers who entered before the period's end and had not left by then",
            "期末前入网且期末未离网的客户数",
        ),
        "count(*) FILTER (WHERE present)",
    ),
    Indicator(
        "group_customers",
        Text("Group customers", "集团客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SNAPSHOT,
        Text("Those of `customers` that are organisations", "在网客户中的集团客户数"),
        "count(*) FILTER (WHERE present AND kind = 'group')",
    ),
    Indicator(
        "key_customers",
        Text("Diamond, gold and silver customers", "钻金银客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SNAPSHOT,
        Text("Those of `customers` above the standard level", "在网客户中钻石、金、银级客户数"),
        "count(*) FILTER (WHERE present AND is_key)",
    ),
    Indicator(
        "key_customer_share",
        Text("Share of diamond, gold and silver customers", "钻金银客户占比"),
        Unit.PERCENT,
        Family.CUSTOMERS,
        "customer",
        Ratio("key_customers", "customers", 100),
        Text("`key_customers` / `customers` × 100", "钻金银客户数 ÷ 在网客户数 × 100"),
    ),
    Indicator(
        "long_contract_customers",
        Text("Customers bound for a year or more", "长期合约客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `customers` with a contract of one or two years",
            "在网客户中合约期为一年或两年的客户数",
        ),
        "count(*) FILTER (WHERE present AND contract_term IN ('one_year', 'two_year'))",
    ),
    Indicator(
        "long_contract_share",
        Text("Share of customers bound for a year or more", "长期合约客户占比"),
        Unit.PERCENT,
        Family.CUSTOMERS,
        "customer",
        Ratio("long_contract_customers", "customers", 100),
        Text("`long_contract_customers` / `customers` × 100", "长期合约客户数 ÷ 在网客户数 × 100"),
    ),
    Indicator(
        "retained_customers",
        Text("Profiles in the retained library", "保留档案客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SNAPSHOT,
        Text("Customers who had left by the period's end", "期末前已离网的客户数"),
        "count(*) FILTER (WHERE NOT present)",
    ),
    Indicator(
        "new_customers",
        Text("New customers", "新增客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SUM,
        Text(
            "Customers who entered in the period, whether they stayed or not",
            "本期入网的客户数，含其后离网者",
        ),
        "count(*) FILTER (WHERE entry_date >= :first)",
    ),
    Indicator(
        "lost_customers",
        Text("Lost customers", "流失客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SUM,
        Text("Customers who left in the period", "本期离网的客户数"),
        "count(*) FILTER (WHERE lost)",
    ),
    Indicator(
        "lost_key_customers",
        Text("Lost diamond, gold and silver customers", "流失钻金银客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SUM,
        Text(
            "Those of `lost_customers` above the standard level", "流失客户中钻石、金、银级客户数"
        ),
        "count(*) FILTER (WHERE lost AND is_key)",
    ),
    Indicator(
        "customers_exposed",
        Text("Customers who could leave", "离网率基数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SUM,
        Text(
            "In each period `customers` + `lost_customers`; over several periods, customer-periods",
            "每期在网客户数 + 流失客户数；跨期累加为客户期数",
        ),
        "count(*) FILTER (WHERE present OR lost)",
    ),
    Indicator(
        "churn_rate",
        Text("Churn rate", "离网率"),
        Unit.PERCENT,
        Family.CUSTOMERS,
        "customer",
        Ratio("lost_customers", "customers_exposed", 100),
        Text(
            "`lost_customers` / `customers_exposed` × 100; over several periods, per period",
            "流失客户数 ÷ 离网率基数 × 100；跨期为各期平均",
        ),
    ),
    Indicator(
        "tenure_months",
        Text("Tenure of all customers", "在网时长合计"),
        Unit.MONTHS,
        Family.CUSTOMERS,
        "customer",
        Aggregation.SNAPSHOT,
        Text(
            "Whole months from entry to the period's last day, summed over `customers`",
            "在网客户自入网日至期末日的整月数之和",
        ),
        "sum(tenure_months) FILTER (WHERE present)",
    ),
    Indicator(
        "mean_tenure_months",
        Text("Mean tenure", "平均在网时长"),
        Unit.MONTHS,
        Family.CUSTOMERS,
        "customer",
        Ratio("tenure_months", "customers"),
        Text("`tenure_months` / `customers`", "在网时长合计 ÷ 在网客户数"),
    ),
    Indicator(
        "subscriptions",
        Text("Subscriptions", "在网用户数"),
        Unit.SUBSCRIPTIONS,
        Family.VOLUME,
        "customer",
        Aggregation.SNAPSHOT,
        Text(
            "Lines of `customers` that began before the period's end and had not ended by then",
            "在网客户名下期末前开通且期末未销户的用户数",
        ),
        "sum(subscriptions) FILTER (WHERE present)",
    ),
    Indicator(
        "subscriptions_per_customer",
        Text("Subscriptions per customer", "户均用户数"),
        Unit.PER_CUSTOMER,
        Family.VOLUME,
        "customer",
        Ratio("subscriptions", "customers"),
        Text("`subscriptions` / `customers`", "在网用户数 ÷ 在网客户数"),
    ),
    Indicator(
        "monthly_charge_fen",
        Text("Monthly charge", "月应收"),
        Unit.FEN,
        Family.REVENUE,
        "customer",
        Aggregation.SNAPSHOT,
        Text("What `customers` pay a month at present, summed", "在网客户当前月费之和"),
        "sum(monthly_charge_fen) FILTER (WHERE present)",
    ),
    Indicator(
        "arpu_fen",
        Text("Monthly charge per customer", "户均月应收"),
        Unit.FEN,
        Family.REVENUE,
        "customer",
        Ratio("monthly_charge_fen", "customers"),
        Text("`monthly_charge_fen` / `customers`", "月应收 ÷ 在网客户数"),
    ),
    Indicator(
        "key_monthly_charge_fen",
        Text("Monthly charge of diamond, gold and silver customers", "钻金银客户月应收"),
        Unit.FEN,
        Family.REVENUE,
        "customer",
        Aggregation.SNAPSHOT,
        Text("What `key_customers` pay a month at present, summed", "钻金银客户当前月费之和"),
        "sum(monthly_charge_fen) FILTER (WHERE present AND is_key)",
    ),
    Indicator(
        "key_revenue_share",
        Text(
            "Share of the monthly charge from diamond, gold and silver customers",
            "钻金银客户收入占比",
        ),
        Unit.PERCENT,
        Family.REVENUE,
        "customer",
        Ratio("key_monthly_charge_fen", "monthly_charge_fen", 100),
        Text(
            "`key_monthly_charge_fen` / `monthly_charge_fen` × 100",
            "钻金银客户月应收 ÷ 月应收 × 100",
        ),
    ),
    Indicator(
        "highest_monthly_charge_fen",
        Text("Highest monthly charge", "最高月费"),
        Unit.FEN,
        Family.REVENUE,
        "customer",
        Aggregation.MAX,
        Text(
            "The most that one of `customers` pays a month at present", "在网客户当前月费的最大值"
        ),
        "max(monthly_charge_fen) FILTER (WHERE present)",
    ),
    Indicator(
        "lost_monthly_charge_fen",
        Text("Monthly charge lost", "流失月应收"),
        Unit.FEN,
        Family.REVENUE,
        "customer",
        Aggregation.SUM,
        Text("What `lost_customers` last paid a month, summed", "流失客户最后月费之和"),
        "sum(monthly_charge_fen) FILTER (WHERE lost)",
    ),
)
