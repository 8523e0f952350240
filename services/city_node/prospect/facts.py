"""What prospects are found by beside the facts of levels: the trend, competitors, refusals, and open prospects."""

from services.city_node.evaluation.facts import BILLS, TENURE, Fact, Source, Window, months_later
from services.city_node.level.rule import TURNING as LEVEL_TURNING
from services.city_node.level.rule import facts as level_facts
from services.city_node.level.rule import rank
from services.city_node.prospect.life import BY_ITSELF, RESTING, listed
from services.city_node.prospect.rule import Terms
from shared.kernel.language import Text

# ruff: noqa: S608 - put together from declarations, never from input

_COMPETITORS = Source(
    "rival",
    "competitor_use k",
    "k.customer_id",
    "(k.since IS NULL OR k.since <= {on}) AND (k.until IS NULL OR k.until > {on})",
)
_REFUSALS = Source(
    "refusal", "preference w", "w.customer_id", "w.topic = 'marketing' AND w.value = 'refused'"
)
_OPEN = "q.closed_at IS NULL"
TURNING = (
    LEVEL_TURNING
    + """
    UNION SELECT customer_id FROM competitor_use
    WHERE (since > $1 AND since <= $2) OR (until > $1 AND until <= $2)"""
)
"""Customers whose facts turn on a day after ``$1`` up to ``$2``; others turn with the month."""

COMPETITOR_FEE = Fact(
    "competitor_fee_fen",
    Text("monthly fees at competitors, as far as known", "竞争对手处月费（已知部分）"),
    "coalesce(rival.competitor_fee_fen, 0)::bigint",
    _COMPETITORS,
    "sum(k.monthly_fee_fen)",
)
COMPETITOR_SHARE = Fact(
    "competitor_share",
    Text("largest share at a competitor without a known fee", "竞争对手最大份额（月费未知）"),
    "coalesce(rival.competitor_share, 0)::bigint",
    _COMPETITORS,
    "max(k.share_percent)",
    only="k.monthly_fee_fen IS NULL",
)
COMPETITORS = Fact(
    "competitors",
    Text("which competitors", "竞争对手"),
    "rival.competitors",
    _COMPETITORS,
    """string_agg(DISTINCT k.operator::text COLLATE "C", '、' ORDER BY k.operator::text COLLATE "C")""",
)
COMPETITOR_EXPIRES = Fact(
    "competitor_expires_on",
    Text("first end of a contract there", "竞争对手合同最早到期日"),
    "rival.competitor_expires_on",
    _COMPETITORS,
    "min(k.expires_on)",
)
REFUSES = Fact(
    "refuses",
    Text("refuses marketing", "拒绝营销"),
    "coalesce(refusal.refuses, false)",
    _REFUSALS,
    "bool_or(true)",
)


def facts(terms: Terms, window: Window) -> tuple[Fact, ...]:
    """Return what prospects go by."""
    return (
        *level_facts(terms.level),
        TENURE,
        *_trend(terms, window),
        *(COMPETITOR_FEE, COMPETITOR_SHARE, COMPETITORS, COMPETITOR_EXPIRES, REFUSES),
        *_sought(terms, window),
    )


def _trend(terms: Terms, window: Window) -> tuple[Fact, Fact]:
    """Return the sum of the trend's bills, and the sum weighted from -(n-1) to n-1 by month."""
    months = terms.prospect.growing.trend_months
    first = f"DATE '{months_later(window.on, -months)}'"
    within = f"b.period >= {first} AND b.period < {{end}}"
    beyond = within if months > window.months else None
    # A month is 730/24 days long on average, so this numbers them from 0.
    number = f"(((b.period - {first}) * 24 + 365) / 730)"
    weighted = f"sum(b.charge_fen * (2 * {number} - {months - 1}))"
    label = Text("billed in the months of the trend", "趋势期内账单金额")
    return (
        Fact("trend_fen", label, "coalesce(billed.trend_fen, 0)::bigint", BILLS, "sum(b.charge_fen)",
             only=within, beyond=beyond),
        Fact("trend_weighted", Text("the same, weighted by month", "趋势期内按月加权金额"),
             "coalesce(billed.trend_weighted, 0)::bigint", BILLS, weighted, only=within, beyond=beyond),
    )  # fmt: skip


def _sought(terms: Terms, window: Window) -> tuple[Fact, ...]:
    """Return what is known of the customer as a prospect: open, worked on, or at rest since the first of a month."""
    begun = months_later(window.on, -terms.prospect.rest_months)
    resting = (
        f"(q.state IN ({listed(RESTING)}) AND q.closed_at >= TIMESTAMPTZ '{begun} 00:00+08' "
        f"AND q.ending NOT IN ({listed(BY_ITSELF)}))"
    )
    source = Source("sought", "prospect q", "q.customer_id", f"({_OPEN} OR {resting})")
    return (
        Fact("was_target", Text("level of the open prospect", "在办潜在大客户目标级别"), "sought.was_target",
             source, f"max({rank('q.target')})", only=_OPEN),
        Fact("was_worked", Text("whether somebody works on it", "是否已跟进"), "coalesce(sought.was_worked, false)",
             source, "bool_or(q.state <> 'found')", only=_OPEN),
        Fact("resting", Text("closed by somebody not long ago", "近期已排除或放弃"), "coalesce(sought.resting, false)",
             source, "bool_or(q.closed_at IS NOT NULL)"),
    )  # fmt: skip
