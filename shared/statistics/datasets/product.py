"""Products that customers hold at the end of a period, and how that moved in it."""

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Ratio
from shared.statistics.catalogue import Dataset, Indicator
from shared.statistics.datasets.profile import CAME, LEVEL, MOVED
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit

_ROWS = f"""
    SELECT h.category AS product_category, c.kind AS customer_kind, {LEVEL} AS level, h.quantity, h.monthly_fee_fen,
           h.until IS NULL OR h.until >= :after AS present,
           h.since >= :first AS is_new,
           h.until >= :first AND h.until < :after AS has_ended
    FROM product_holding h JOIN customer c ON c.id = h.customer_id {MOVED}
    WHERE {CAME} AND h.since < :after AND (h.until IS NULL OR h.until >= :first)
"""  # noqa: S608 - constants alone

DATASET = Dataset(
    "product",
    Text("Products held", "产品持有"),
    ("product_category", "customer_kind", "level"),
    frozenset({PeriodKind.MONTH}),
    _ROWS,
    people="product_holdings",
    others={
        "new_products": ("new_products",),
        "ended_products": ("ended_products",),
    },
)

INDICATORS = (
    Indicator(
        "product_holdings",
        Text("Products held", "在用产品数"),
        Unit.PRODUCTS,
        Family.VOLUME,
        "product",
        Aggregation.SNAPSHOT,
        Text("Products that customers hold at the period's end", "期末客户持有的产品数"),
        "count(*) FILTER (WHERE present)",
    ),
    Indicator(
        "product_quantity",
        Text("Units of products held", "在用产品数量"),
        Unit.PRODUCTS,
        Family.VOLUME,
        "product",
        Aggregation.SNAPSHOT,
        Text("Quantities of `product_holdings`, summed", "在用产品的数量之和"),
        "sum(quantity) FILTER (WHERE present)",
    ),
    Indicator(
        "product_fee_fen",
        Text("Monthly fees of products held", "在用产品月费"),
        Unit.FEN,
        Family.REVENUE,
        "product",
        Aggregation.SNAPSHOT,
        Text("Monthly fees of `product_holdings`, summed", "在用产品的月费之和"),
        "sum(monthly_fee_fen) FILTER (WHERE present)",
    ),
    Indicator(
        "fee_per_product_fen",
        Text("Monthly fee per product", "单产品月费"),
        Unit.FEN,
        Family.REVENUE,
        "product",
        Ratio("product_fee_fen", "product_holdings"),
        Text("`product_fee_fen` / `product_holdings`", "在用产品月费 ÷ 在用产品数"),
    ),
    Indicator(
        "new_products",
        Text("Products newly held", "新增产品数"),
        Unit.PRODUCTS,
        Family.MARKETING,
        "product",
        Aggregation.SUM,
        Text("Products held since a day of the period", "本期新增的产品数"),
        "count(*) FILTER (WHERE is_new)",
    ),
    Indicator(
        "ended_products",
        Text("Products given up", "退订产品数"),
        Unit.PRODUCTS,
        Family.MARKETING,
        "product",
        Aggregation.SUM,
        Text("Products held no longer since a day of the period", "本期退订的产品数"),
        "count(*) FILTER (WHERE has_ended)",
    ),
)
