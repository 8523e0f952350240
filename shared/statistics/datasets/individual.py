"""Individual customers by what is known of them at present; a birth date goes with the person."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import AGE_BAND, HERE, LEVEL, MOVED, SPEND_BAND
from shared.statistics.people import Within
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, {AGE_BAND} AS age_band, c.sex, {SPEND_BAND} AS spend_band, c.monthly_charge_fen,
           date_part('month', c.birth_date) = date_part('month', :first) AS has_birthday,
           c.manager_id IS NOT NULL AS is_managed
    FROM customer c {MOVED}
    WHERE c.kind = 'individual' AND {HERE} AND (c.left_on IS NULL OR c.left_on >= :after)
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "individual",
    Text("Individual customers by age and spend", "个人客户的年龄与消费"),
    ("level", "age_band", "sex", "spend_band"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    present_only=True,
    people="individual_customers",
    within={
        "high_spend_customers": Within(("spend_band",), ("300-699", "700-1699", "1700+")),
    },
)

INDICATORS = (
    Indicator(
        "individual_customers",
        Text("Individual customers", "个人客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "individual",
        Aggregation.SNAPSHOT,
        Text("Customers in the network who are persons", "期末在网的个人客户数"),
        "count(*)",
    ),
    Indicator(
        "individual_charge_fen",
        Text("Monthly charge of individual customers", "个人客户月应收"),
        Unit.FEN,
        Family.REVENUE,
        "individual",
        Aggregation.SNAPSHOT,
        Text("What `individual_customers` pay a month at present, summed", "个人客户当前月费之和"),
        "sum(monthly_charge_fen)",
    ),
    Indicator(
        "individual_arpu_fen",
        Text("Monthly charge per individual customer", "个人客户户均月应收"),
        Unit.FEN,
        Family.REVENUE,
        "individual",
        Ratio("individual_charge_fen", "individual_customers"),
        Text("`individual_charge_fen` / `individual_customers`", "个人客户月应收 ÷ 个人客户数"),
    ),
    Indicator(
        "high_spend_customers",
        Text("Individual customers of 300 yuan a month and more", "月消费 300 元及以上个人客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "individual",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `individual_customers` who pay at least 300 yuan a month at present",
            "个人客户中当前月费不低于 300 元的客户数",
        ),
        "count(*) FILTER (WHERE monthly_charge_fen >= 30000)",
    ),
    Indicator(
        "high_spend_share",
        Text(
            "Share of individual customers of 300 yuan a month and more",
            "月消费 300 元及以上个人客户占比",
        ),
        Unit.PERCENT,
        Family.CUSTOMERS,
        "individual",
        Ratio("high_spend_customers", "individual_customers", 100),
        Text(
            "`high_spend_customers` / `individual_customers` × 100",
            "月消费 300 元及以上个人客户数 ÷ 个人客户数 × 100",
        ),
    ),
    Indicator(
        "birthday_customers",
        Text("Individual customers with a birthday in the month", "当月生日的个人客户数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "individual",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `individual_customers` born in the calendar month of the period",
            "个人客户中出生月份与本期相同的客户数",
        ),
        "count(*) FILTER (WHERE has_birthday)",
    ),
    Indicator(
        "managed_individuals",
        Text("Individual customers with a manager", "有客户经理的个人客户数"),
        Unit.CUSTOMERS,
        Family.MANAGERS,
        "individual",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `individual_customers` whom an account manager looks after",
            "个人客户中已分配客户经理的客户数",
        ),
        "count(*) FILTER (WHERE is_managed)",
    ),
    Indicator(
        "managed_individual_share",
        Text("Share of individual customers with a manager", "个人客户经理覆盖率"),
        Unit.PERCENT,
        Family.MANAGERS,
        "individual",
        Ratio("managed_individuals", "individual_customers", 100),
        Text(
            "`managed_individuals` / `individual_customers` × 100",
            "有客户经理的个人客户数 ÷ 个人客户数 × 100",
        ),
    ),
)
