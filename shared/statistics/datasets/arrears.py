"""What customers owe at the end of a period; each counts by the age of the oldest bill that is overdue."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT CASE WHEN o.months <= 1 THEN '1' WHEN o.months <= 3 THEN '2-3' WHEN o.months <= 6 THEN '4-6'
                WHEN o.months <= 12 THEN '7-12' ELSE '13+' END AS arrears_age,
           {LEVEL} AS level, coalesce(r.rating, 'unknown') AS credit_rating, o.bills, o.fen
    FROM (
        SELECT customer_id, count(*) AS bills, sum(charge_fen) AS fen,
               date_part('year', :after)::int * 12 + date_part('month', :after)::int
               - (date_part('year', min(period))::int * 12 + date_part('month', min(period))::int) - 1 AS months
        FROM bill
        WHERE charge_fen > 0 AND period <= :after - interval '2 months' AND (paid_on IS NULL OR paid_on >= :after)
        GROUP BY customer_id
    ) o JOIN customer c ON c.id = o.customer_id {MOVED}
    LEFT JOIN credit_result r ON r.customer_id = c.id AND r.until IS NULL
    WHERE {CAME}
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "arrears",
    Text("Arrears", "欠费"),
    ("arrears_age", "level", "credit_rating"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    present_only=True,
    people="customers_in_arrears",
)

INDICATORS = (
    Indicator(
        "customers_in_arrears",
        Text("Customers in arrears", "欠费客户数"),
        Unit.CUSTOMERS,
        Family.REVENUE,
        "arrears",
        Aggregation.SNAPSHOT,
        Text(
            "Customers with a bill that was not paid by the end of the month after",
            "有账单逾期（次月底前未缴）的客户数",
        ),
        "count(*)",
    ),
    Indicator(
        "arrears_bills",
        Text("Bills in arrears", "欠费账单数"),
        Unit.BILLS,
        Family.REVENUE,
        "arrears",
        Aggregation.SNAPSHOT,
        Text("Bills overdue at the period's end", "期末逾期未缴的账单张数"),
        "sum(bills)",
    ),
    Indicator(
        "arrears_fen",
        Text("Arrears", "欠费金额"),
        Unit.FEN,
        Family.REVENUE,
        "arrears",
        Aggregation.SNAPSHOT,
        Text("Charges of `arrears_bills`, summed", "欠费账单的金额之和"),
        "sum(fen)",
    ),
    Indicator(
        "arrears_per_customer_fen",
        Text("Arrears per customer in arrears", "户均欠费"),
        Unit.FEN,
        Family.REVENUE,
        "arrears",
        Ratio("arrears_fen", "customers_in_arrears"),
        Text("`arrears_fen` / `customers_in_arrears`", "欠费金额 ÷ 欠费客户数"),
    ),
    Indicator(
        "highest_arrears_fen",
        Text("Highest arrears of one customer", "最高单户欠费"),
        Unit.FEN,
        Family.REVENUE,
        "arrears",
        Aggregation.MAX,
        Text("The most that one customer owes overdue", "单个客户逾期欠费的最大值"),
        "max(fen)",
    ),
)
