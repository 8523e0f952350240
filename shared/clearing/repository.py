"""Every query of clearing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clearing.models import (
    ClearingDifference,
    ClearingStatement,
    ItemKind,
)
from shared.kernel.listing import Listing, Sort

HORIZON = timedelta(days=93)
"""How far back changes of a day's books are looked for."""

ENTRIES = Listing(
    source="clearing_entry e",
    key=Sort("e.id", "bigint"),
    columns={
        name: f"e.{name}"
        for name in (
            *("id", "request_id", "kind", "at", "business_day", "booked_on"),
            *("debit", "credit", "amount_fen", "home", "visited"),
        )
    },
    sorts={"id": Sort("e.id", "bigint")},
    filters={
        "request_id": "e.request_id = {}",
        "kind": "e.kind = {}",
        "business_day": "e.business_day = {}",
        "booked_on": "e.booked_on = {}",
        "account": "{} IN (e.debit, e.credit)",
        "late": "(e.booked_on > e.business_day) = {}",
    },
)
"""What this node has booked."""

STATEMENTS = Listing(
    source="clearing_statement s",
    key=Sort("s.neighbour", "text"),
    columns={
        **{
            name: f"s.{name}"
            for name in (
                *("neighbour", "day", "revision", "state", "items", "net_fen", "digest"),
                *("their_items", "their_net_fen", "stated_at", "compared_at"),
            )
        },
        "differences": "(SELECT count(*) FROM clearing_difference d WHERE d.neighbour = s.neighbour AND d.day = s.day "
        "AND d.settled_at IS NULL)",
    },
    sorts={"day": Sort("s.day", "date")},
    filters={
        "neighbour": "s.neighbour = {}",
        "day": "s.day = {}",
        "day_from": "s.day >= {}",
        "day_before": "s.day < {}",
        "state": "s.state = {}",
    },
)
"""What this node and its neighbours say of each day."""

DIFFERENCES = Listing(
    source="clearing_difference d",
    key=Sort("d.request_id", "uuid"),
    columns={
        name: f"d.{name}"
        for name in (
            *("neighbour", "day", "request_id", "kind", "our_fen", "their_fen"),
            *("found_at", "settled_at"),
        )
    },
    sorts={"day": Sort("d.day", "date")},
    filters={
        "neighbour": "d.neighbour = {}",
        "day": "d.day = {}",
        "request_id": "d.request_id = {}",
        "settled": "(d.settled_at IS NOT NULL) = {}",
    },
)
"""What two neighbours do not have alike."""

_LEGS = """
    SELECT account, kind, booked_on, fen FROM clearing_entry e
    CROSS JOIN LATERAL (VALUES (e.debit, e.amount_fen), (e.credit, -e.amount_fen)) AS leg (account, fen)
    WHERE booked_on >= coalesce($1::date, '-infinity') AND booked_on < coalesce($2::date, 'infinity')"""
_POSITIONS = f"""
    SELECT account, count(*) AS items, coalesce(sum(fen) FILTER (WHERE fen > 0), 0)::bigint AS debit_fen,
           coalesce(-sum(fen) FILTER (WHERE fen < 0), 0)::bigint AS credit_fen, sum(fen)::bigint AS net_fen
    FROM ({_LEGS}) legs GROUP BY account ORDER BY account"""  # noqa: S608 - no input in it

_OF_DAY = """
    FROM (SELECT request_id, kind, right(request_id::text, 2) AS portion,
                 CASE WHEN debit = :neighbour THEN amount_fen ELSE -amount_fen END AS fen
          FROM clearing_entry WHERE business_day = :day AND :neighbour IN (debit, credit)) i"""
_PORTIONS = text(
    f"""
    SELECT portion, count(*) AS items, sum(fen)::bigint AS net_fen,
           encode(sha256(convert_to(string_agg(
               request_id || ' ' || kind || ' ' || fen * CAST(:sign AS integer), E'\\n' ORDER BY request_id, kind),
               'UTF8')), 'hex') AS digest
    {_OF_DAY} GROUP BY portion ORDER BY portion
    """
)
_ITEMS = text(
    f"SELECT request_id, kind, portion, fen {_OF_DAY} WHERE portion = ANY(:portions) ORDER BY portion, request_id, kind"
)
_COUNTS = text(
    """
    SELECT account, business_day, sum(items)::bigint FROM (
        SELECT business_day, debit, credit, count(*) AS items FROM clearing_entry
        WHERE business_day >= :since AND business_day < :before GROUP BY 1, 2, 3) pairs
    CROSS JOIN LATERAL (VALUES (debit), (credit)) AS leg (account)
    GROUP BY 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class Position:
    """What one account comes to: ``net_fen`` above zero is owed by it, below it is due to it."""

    account: str
    items: int
    debit_fen: int
    credit_fen: int
    net_fen: int


@dataclass(frozen=True, slots=True)
class DayBooks:
    """What this node has booked with a neighbour for one business day.

    Attributes:
        items: how many items.
        net_fen: what the neighbour owes for them.
        portions: a digest for each of up to 256 portions of them, by the last two digits of their ids.
    """

    items: int
    net_fen: int
    portions: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The digest of them all."""
        return digest_of(self.portions)


@dataclass(frozen=True, slots=True)
class BookedItem:
    """One item of a day: ``fen`` is what the neighbour owes for it."""

    request_id: UUID
    kind: ItemKind
    portion: str
    fen: int


def digest_of(portions: Mapping[str, str]) -> str:
    """Return the digest of a day from those of its portions."""
    lines = "\n".join(f"{portion} {digest}" for portion, digest in sorted(portions.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def portion_of(request_id: UUID) -> str:
    """Return the portion of a day that an item belongs to."""
    return str(request_id)[-2:]


async def positions(
    connection: asyncpg.Connection | asyncpg.Pool, day_from: date | None, day_before: date | None
) -> Sequence[Position]:
    """Return what each account comes to over the days to which entries are counted."""
    rows = await connection.fetch(_POSITIONS, day_from, day_before)
    return [Position(**row) for row in rows]


async def day_books(
    session: AsyncSession, neighbour: str, day: date, *, is_parent: bool
) -> DayBooks:
    """Return what is booked with a neighbour for a business day.

    Args:
        session: where to look.
        neighbour: the parent or a child.
        day: the business day.
        is_parent: whether the neighbour is this node's parent: digests are of what a parent owes its child, so that
            both ends compute the same.
    """
    values = {"neighbour": neighbour, "day": day, "sign": 1 if is_parent else -1}
    rows = (await session.execute(_PORTIONS, values)).all()
    return DayBooks(
        sum(row.items for row in rows),
        sum(row.net_fen for row in rows),
        {row.portion: row.digest for row in rows},
    )


async def items_of(
    session: AsyncSession, neighbour: str, day: date, portions: Sequence[str]
) -> Sequence[BookedItem]:
    """Return the items of some portions of a day."""
    values = {"neighbour": neighbour, "day": day, "portions": list(portions)}
    rows = await session.execute(_ITEMS, values)
    return [BookedItem(row.request_id, ItemKind(row.kind), row.portion, row.fen) for row in rows]


async def counts(
    session: AsyncSession, *, since: date, before: date
) -> Mapping[str, Mapping[date, int]]:
    """Return how many items are booked with each neighbour for each business day: they are only added to."""
    found: dict[str, dict[date, int]] = {}
    for account, day, items in await session.execute(_COUNTS, {"since": since, "before": before}):
        found.setdefault(account, {})[day] = items
    return found


async def lock_statement(
    session: AsyncSession, neighbour: str, day: date
) -> ClearingStatement | None:
    """Return and lock what is known of a neighbour's day."""
    query = select(ClearingStatement).where(
        ClearingStatement.neighbour == neighbour, ClearingStatement.day == day
    )
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def statements(
    session: AsyncSession, neighbour: str, *, since: date
) -> Mapping[date, ClearingStatement]:
    """Return what is known of a neighbour's days."""
    found = await session.scalars(
        select(ClearingStatement)
        .where(ClearingStatement.neighbour == neighbour, ClearingStatement.day >= since)
        .execution_options(populate_existing=True)
    )
    return {statement.day: statement for statement in found}


async def differences_of(
    session: AsyncSession, neighbour: str, day: date
) -> Sequence[ClearingDifference]:
    """Return, locked, what two neighbours do not have alike of a day, or had not."""
    query = select(ClearingDifference).where(
        ClearingDifference.neighbour == neighbour, ClearingDifference.day == day
    )
    found = await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return found.all()


async def unsettled_days(session: AsyncSession, month: date, before: date) -> Sequence[Any]:
    """Return the days and neighbours of a month that are booked or stated, and not agreed."""
    neighbours = "[0-9]{6}"
    rows = await session.execute(
        text(
            """
            SELECT DISTINCT day, neighbour FROM (
                SELECT business_day AS day, account AS neighbour FROM clearing_entry e
                CROSS JOIN LATERAL (VALUES (e.debit), (e.credit)) AS leg (account)
                WHERE business_day >= :month AND business_day < :before AND account ~ :code
                UNION SELECT day, neighbour FROM clearing_statement WHERE day >= :month AND day < :before) d
            WHERE NOT EXISTS (SELECT FROM clearing_statement s
                              WHERE s.day = d.day AND s.neighbour = d.neighbour AND s.state = 'agreed')
            ORDER BY day, neighbour
            """
        ),
        {"month": month, "before": before, "code": f"^{neighbours}$"},
    )
    return rows.all()
