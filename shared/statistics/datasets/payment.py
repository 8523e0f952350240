"""How the bills of a month were paid, as far as it is known when it is counted."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED, TENURE_BAND, TENURE_MONTHS
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT {LEVEL} AS level, {TENURE_BAND} AS tenure_band, b.bills, b.fen, b.paid, b.paid_fen, b.on_time, b.late
    FROM (
        SELECT customer_id, count(*) AS bills, sum(charge_fen) AS fen,
               count(paid_on) AS paid, sum(charge_fen) FILTER (WHERE paid_on IS NOT NULL) AS paid_fen,
               count(*) FILTER (WHERE paid_on < period + interval '2 months') AS on_time,
               count(*) FILTER (WHERE paid_on >= period + interval '2 months') AS late
        FROM bill WHERE period >= :first AND period < :after AND charge_fen > 0
        GROUP BY customer_id
    ) b JOIN customer c ON c.id = b.customer_id {MOVED} {TENURE_MONTHS}
    WHERE {CAME}
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "payment",
    Text("Payment of bills", "账单缴费"),
    ("level", "tenure_band"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    late={"bill": "period"},
    people="payable_bills",
)

INDICATORS = (
    Indicator(
        "payable_bills",
        Text("Bills to be paid", "应缴账单数"),
        Unit.BILLS,
        Family.REVENUE,
        "payment",
        Aggregation.SUM,
        Text("Bills of the month of more than nothing", "当月金额大于零的账单张数"),
        "sum(bills)",
    ),
    Indicator(
        "payable_fen",
        Text("Charges to be paid", "应缴金额"),
        Unit.FEN,
        Family.REVENUE,
        "payment",
        Aggregation.SUM,
        Text("Charges of `payable_bills`, summed", "应缴账单的金额之和"),
        "sum(fen)",
    ),
    Indicator(
        "paid_bills",
        Text("Bills paid", "已缴账单数"),
        Unit.BILLS,
        Family.REVENUE,
        "payment",
        Aggregation.SUM,
        Text("Those of `payable_bills` that are paid by now", "应缴账单中目前已缴的张数"),
        "sum(paid)",
    ),
    Indicator(
        "paid_fen",
        Text("Charges paid", "已缴金额"),
        Unit.FEN,
        Family.REVENUE,
        "payment",
        Aggregation.SUM,
        Text("Charges of `paid_bills`, summed", "已缴账单的金额之和"),
        "sum(paid_fen)",
    ),
    Indicator(
        "collection_rate",
        Text("Collection rate", "收缴率"),
        Unit.PERCENT,
        Family.REVENUE,
        "payment",
        Ratio("paid_fen", "payable_fen", 100),
        Text("`paid_fen` / `payable_fen` × 100", "已缴金额 ÷ 应缴金额 × 100"),
    ),
    Indicator(
        "bills_on_time",
        Text("Bills paid in time", "按时缴费账单数"),
        Unit.BILLS,
        Family.REVENUE,
        "payment",
        Aggregation.SUM,
        Text(
            "Those of `payable_bills` that were paid by the end of the month after",
            "应缴账单中于次月底前缴清的张数",
        ),
        "sum(on_time)",
    ),
    Indicator(
        "punctuality",
        Text("Punctuality of payment", "按时缴费率"),
        Unit.PERCENT,
        Family.REVENUE,
        "payment",
        Ratio("bills_on_time", "payable_bills", 100),
        Text("`bills_on_time` / `payable_bills` × 100", "按时缴费账单数 ÷ 应缴账单数 × 100"),
    ),
    Indicator(
        "bills_late",
        Text("Bills paid late", "逾期缴费账单数"),
        Unit.BILLS,
        Family.REVENUE,
        "payment",
        Aggregation.SUM,
        Text(
            "Those of `payable_bills` that were paid after the end of the month after",
            "应缴账单中次月底后才缴清的张数",
        ),
        "sum(late)",
    ),
    Indicator(
        "late_share",
        Text("Share of bills paid late", "逾期缴费占比"),
        Unit.PERCENT,
        Family.REVENUE,
        "payment",
        Ratio("bills_late", "payable_bills", 100),
        Text("`bills_late` / `payable_bills` × 100", "逾期缴费账单数 ÷ 应缴账单数 × 100"),
    ),
)
