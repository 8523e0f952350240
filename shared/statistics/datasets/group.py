"""Group customers, with their members and agreements at the end of a period."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import HERE, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT coalesce(e.industry_code, 'unknown') AS industry, coalesce(e.size_class, 'unknown') AS enterprise_size,
           {LEVEL} AS level, c.monthly_charge_fen, e.employees, g.members, a.in_force, a.expiring
    FROM customer c {MOVED}
    LEFT JOIN enterprise e ON e.customer_id = c.id
    LEFT JOIN (
        SELECT customer_id, count(*) AS members FROM group_member
        WHERE since < :after AND (until IS NULL OR until >= :after)
        GROUP BY customer_id
    ) g ON g.customer_id = c.id
    LEFT JOIN (
        SELECT customer_id, count(*) AS in_force,
               count(*) FILTER (WHERE expires_on < :after + 90 AND NOT auto_renews) AS expiring
        FROM agreement WHERE starts_on < :after AND (expires_on IS NULL OR expires_on >= :after)
        GROUP BY customer_id
    ) a ON a.customer_id = c.id
    WHERE c.kind = 'group' AND {HERE} AND (c.left_on IS NULL OR c.left_on >= :after)
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "group",
    Text("Group customers by industry and size", "集团客户的行业与规模"),
    ("industry", "enterprise_size", "level"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    people="groups",
)

INDICATORS = (
    Indicator(
        "groups",
        Text("Groups in the network", "在网集团数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "group",
        Aggregation.SNAPSHOT,
        Text("Customers in the network that are organisations", "期末在网的集团客户数"),
        "count(*)",
    ),
    Indicator(
        "group_charge_fen",
        Text("Monthly charge of groups", "集团月应收"),
        Unit.FEN,
        Family.REVENUE,
        "group",
        Aggregation.SNAPSHOT,
        Text("What `groups` pay a month at present, summed", "集团客户当前月费之和"),
        "sum(monthly_charge_fen)",
    ),
    Indicator(
        "group_arpu_fen",
        Text("Monthly charge per group", "集团户均月应收"),
        Unit.FEN,
        Family.REVENUE,
        "group",
        Ratio("group_charge_fen", "groups"),
        Text("`group_charge_fen` / `groups`", "集团月应收 ÷ 在网集团数"),
    ),
    Indicator(
        "group_employees",
        Text("Employees of groups", "集团员工数"),
        Unit.PEOPLE,
        Family.CUSTOMERS,
        "group",
        Aggregation.SNAPSHOT,
        Text("Employees of `groups` as far as they are known, summed", "已知的集团员工数之和"),
        "sum(employees)",
    ),
    Indicator(
        "group_members",
        Text("Individual customers who belong to groups", "集团成员客户数"),
        Unit.CUSTOMERS,
        Family.CUSTOMERS,
        "group",
        Aggregation.SNAPSHOT,
        Text("Memberships of `groups` that hold at the period's end", "期末有效的集团成员关系数"),
        "sum(members)",
    ),
    Indicator(
        "member_penetration",
        Text("Members per hundred employees", "集团成员渗透率"),
        Unit.PERCENT,
        Family.MARKETING,
        "group",
        Ratio("group_members", "group_employees", 100),
        Text("`group_members` / `group_employees` × 100", "集团成员客户数 ÷ 集团员工数 × 100"),
    ),
    Indicator(
        "agreements",
        Text("Agreements with groups in force", "有效集团协议数"),
        Unit.TIMES,
        Family.MARKETING,
        "group",
        Aggregation.SNAPSHOT,
        Text(
            "Agreements with `groups` that are in force at the period's end", "期末有效的集团协议数"
        ),
        "sum(in_force)",
    ),
    Indicator(
        "groups_with_agreement",
        Text("Groups with an agreement in force", "有有效协议的集团数"),
        Unit.CUSTOMERS,
        Family.MARKETING,
        "group",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `groups` with at least one agreement in force", "期末有有效协议的集团客户数"
        ),
        "count(*) FILTER (WHERE in_force > 0)",
    ),
    Indicator(
        "agreement_coverage",
        Text("Share of groups with an agreement in force", "集团协议覆盖率"),
        Unit.PERCENT,
        Family.MARKETING,
        "group",
        Ratio("groups_with_agreement", "groups", 100),
        Text("`groups_with_agreement` / `groups` × 100", "有有效协议的集团数 ÷ 在网集团数 × 100"),
    ),
    Indicator(
        "agreements_expiring",
        Text("Agreements with groups that expire within 90 days", "90 天内到期的集团协议数"),
        Unit.TIMES,
        Family.MARKETING,
        "group",
        Aggregation.SNAPSHOT,
        Text(
            "Those of `agreements` that end within 90 days after the period and do not renew themselves",
            "期末后 90 天内到期且不自动续约的集团协议数",
        ),
        "sum(expiring)",
    ),
)
