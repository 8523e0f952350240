"""What customers were billed for a month."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED, TENURE_BAND, TENURE_MONTHS
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, c.contract_term, {TENURE_BAND} AS tenure_band, c.sex,
           b.bills, b.charge_fen, b.highest_fen
    FROM (
        SELECT customer_id, count(*) AS bills, sum(charge_fen) AS charge_fen, max(charge_fen) AS highest_fen
        FROM bill WHERE period >= :first AND period < :after
        GROUP BY customer_id
    ) b JOIN customer c ON c.id = b.customer_id {MOVED} {TENURE_MONTHS}
    WHERE {CAME}
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "revenue",
    Text("Monthly bills", "月账单"),
    ("level", "contract_term", "tenure_band", "sex"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    late={"bill": "period"},
    people="billed_customers",
)

INDICATORS = (
    Indicator(
        "billed_revenue_fen",
        Text("Billed revenue", "出账收入"),
        Unit.FEN,
        Family.REVENUE,
        "revenue",
        Aggregation.SUM,
        Text("Charges of the month's bills, summed", "当月账单金额之和"),
        "sum(charge_fen)",
    ),
    Indicator(
        "bills",
        Text("Bills", "账单数"),
        Unit.BILLS,
        Family.REVENUE,
        "revenue",
        Aggregation.SUM,
        Text("Bills of the month", "当月账单张数"),
        "sum(bills)",
    ),
    Indicator(
        "billed_customers",
        Text("Billed customers", "出账客户数"),
        Unit.CUSTOMERS,
        Family.REVENUE,
        "revenue",
        Aggregation.SUM,
        Text(
            "Customers with at least one bill of the month; over several months, customer-months",
            "当月有账单的客户数；跨月累加为客户月数",
        ),
        "count(*)",
    ),
    Indicator(
        "billed_revenue_per_customer_fen",
        Text("Billed revenue per billed customer", "户均出账收入"),
        Unit.FEN,
        Family.REVENUE,
        "revenue",
        Ratio("billed_revenue_fen", "billed_customers"),
        Text(
            "`billed_revenue_fen` / `billed_customers`; over several months, a month",
            "出账收入 ÷ 出账客户数；跨月为月均",
        ),
    ),
    Indicator(
        "highest_bill_fen",
        Text("Highest bill", "最高账单金额"),
        Unit.FEN,
        Family.REVENUE,
        "revenue",
        Aggregation.MAX,
        Text("The greatest single bill of the month", "当月单张账单的最高金额"),
        "max(highest_fen)",
    ),
)
