"""What rules know of a customer: each fact with its SQL, and the relation that computes them for many or for one.

The relation is one statement: the customers in the network, each *source* (bills, history) aggregated once and joined.
It has the facts that a rule asks for and reads no source that none of them needs. Without a restriction it is a pass
over the tables, which PostgreSQL may do in parallel; with ``$1`` it is the same statement for the customers of that
array, found by index.

Facts are those of whole months. The *window* ends with the last month before the one of the evaluation; tenure is
counted to its end, a bill falls due with the end of the month after the one it bills. So time changes facts with the
month only; what changes them within it marks the customer (``evaluation_mark``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.city_node.customer.ownership import NOT_LIVE
from shared.kernel.language import Text

# ruff: noqa: S608 - put together from the expressions declared here, never from input


def months_later(day: date, months: int) -> date:
    """Return the first day of the month that many months after the one of ``day``."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, 1)


@dataclass(frozen=True, slots=True)
class Window:
    """The months that an evaluation looks at.

    Attributes:
        on: the day of the evaluation.
        months: how many.
    """

    on: date
    months: int

    @property
    def end(self) -> date:
        """First day of the month of the evaluation: the window's end, not in it."""
        return self.on.replace(day=1)

    @property
    def first(self) -> date:
        """First day of the window."""
        return months_later(self.on, -self.months)

    @property
    def due_before(self) -> date:
        """Bills of months before this day's are due: the month after has passed."""
        return months_later(self.on, -1)

    def placeholders(self) -> dict[str, Any]:
        """Return what stands in a fact's SQL for the window."""
        return {
            "on": f"DATE '{self.on}'",
            "first": f"DATE '{self.first}'",
            "first_moment": f"TIMESTAMPTZ '{self.first} 00:00+08'",
            "end": f"DATE '{self.end}'",
            "end_month": self.end.year * 12 + self.end.month,
            "due_before": f"DATE '{self.due_before}'",
            "months": self.months,
        }


@dataclass(frozen=True, slots=True)
class Source:
    """Rows about customers that facts are aggregated from, read once.

    Attributes:
        name: how the joined aggregate is called.
        rows: what follows ``FROM``.
        customer: the column that says whose row it is.
        where: SQL condition of the rows that count.
    """

    name: str
    rows: str
    customer: str
    where: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a customer.

    Attributes:
        name: as results keep it.
        label: what people call it.
        value: SQL over the customer ``c``, or over the source's aggregate.
        source: where it is aggregated, if not from the customer's own row.
        aggregate: SQL of the aggregate, as which the source has it under the fact's name.
        only: SQL condition of the source's rows that it is about.
        beyond: SQL condition of rows that count although they lie before the source's ``where``.
    """

    name: str
    label: Text
    value: str
    source: Source | None = None
    aggregate: str = ""
    only: str | None = None
    beyond: str | None = None


BILLS = Source("billed", "bill b", "b.customer_id", "b.period >= {first}")
SUSPENSIONS = Source(
    "suspended",
    "customer_change h",
    "h.customer_id",
    """h.changes @> '[{{"new": "suspended"}}]' AND h.at >= {first_moment}""",
)
_ENTRY_MONTH = "(date_part('year', c.entry_date)::int * 12 + date_part('month', c.entry_date)::int)"
_OVERDUE = "b.paid_on IS NULL AND b.charge_fen > 0 AND b.period < {due_before}"


def _of_bills(
    name: str, label: Text, aggregate: str, *, value: str = "{}::bigint", **given: str
) -> Fact:
    value = value.replace("{}", f"coalesce(billed.{name}, 0)")
    return Fact(name, label, value, BILLS, aggregate, **given)


TENURE = Fact(
    "tenure_months",
    Text("whole months since entry", "在网整月数"),
    f"greatest(0, {{end_month}} - {_ENTRY_MONTH} - (date_part('day', c.entry_date) > 1)::int)",
)
CONTRACT = Fact("contract_term", Text("term of the contract", "合约期限"), "c.contract_term")
HELD_MONTHS = Fact(
    "held_months",
    Text("months of the window since entry", "统计期内在网月数"),
    f"least({{months}}, greatest(0, {{end_month}} - {_ENTRY_MONTH}))",
)
BILLED_FEN = _of_bills(
    "billed_fen",
    Text("billed in the window", "统计期内账单金额"),
    "sum(b.charge_fen)",
    only="b.period < {end}",
)
BILLED_MONTHS = _of_bills(
    "billed_months",
    Text("months of the window with a bill", "统计期内出账月数"),
    # A bit for each month: DISTINCT would sort. A month is 730/24 days long on average, so this numbers them.
    "bit_or(1::bigint << (((b.period - {first}) * 24 + 365) / 730))",
    value="bit_count({}::bit(64))",
    only="b.period < {end}",
)
BILLS_DUE = _of_bills(
    "bills_due",
    Text("bills of the window that fell due", "统计期内到期账单数"),
    "count(*)",
    only="b.period < {due_before}",
)
BILLS_ON_TIME = _of_bills(
    "bills_on_time",
    Text("bills of the window that were paid in time", "统计期内按时缴费账单数"),
    "count(*)",
    only="b.period < {due_before} AND b.paid_on < b.period + interval '2 months'",
)
ARREARS = _of_bills(
    "arrears_fen",
    Text("overdue, however old", "逾期未缴金额"),
    "sum(b.charge_fen)",
    only=_OVERDUE,
    beyond=_OVERDUE,
)
TIMES_SUSPENDED = Fact(
    "suspensions",
    Text("suspensions of lines since the window began", "统计期以来停机次数"),
    "coalesce(suspended.suspensions, 0)",
    SUSPENSIONS,
    "count(*)",
)


def relation(facts: Iterable[Fact], window: Window, *, restricted: bool) -> str:
    """Return the SQL of the facts of the customers in the network: ``customer_id``, ``unit_code`` and each fact.

    Args:
        facts: which.
        window: of which months.
        restricted: of the customers ``$1`` alone, an array of ids.
    """
    wanted = list(facts)
    sources = dict.fromkeys(fact.source for fact in wanted if fact.source is not None)
    joins = " ".join(
        f"LEFT JOIN ({_aggregate(source, [f for f in wanted if f.source is source], restricted=restricted)}) "
        f"{source.name} ON {source.name}.customer_id = c.id"
        for source in sources
    )
    values = ", ".join(f"{fact.value} AS {fact.name}" for fact in wanted)
    ids = " AND c.id = ANY($1::uuid[])" if restricted else ""
    # Who is moving to another city is judged there, or here again when it is decided that nobody moves.
    which = f"c.library = 'in_network' AND c.id NOT IN ({NOT_LIVE}){ids}"
    sql = f"SELECT c.id AS customer_id, c.unit_code, {values} FROM customer c {joins} WHERE {which}"
    return sql.format_map(window.placeholders())


def _aggregate(source: Source, facts: list[Fact], *, restricted: bool) -> str:
    """Return the query for a source's aggregates; still with placeholders."""
    beyond = [f"({fact.beyond})" for fact in facts if fact.beyond]
    columns = []
    for fact in facts:
        # Rows from before the window are about the facts alone that asked for them.
        conditions = [fact.only, source.where if beyond and not fact.beyond else None]
        only = " AND ".join(filter(None, conditions))
        columns.append(
            f"{fact.aggregate}{f' FILTER (WHERE {only})' if only else ''} AS {fact.name}"
        )
    rows = " OR ".join([f"({source.where})", *dict.fromkeys(beyond)])
    ids = f" AND {source.customer} = ANY($1::uuid[])" if restricted else ""
    return (
        f"SELECT {source.customer} AS customer_id, {', '.join(columns)} FROM {source.rows} "
        f"WHERE ({rows}){ids} GROUP BY {source.customer}"
    )
