"""Bills that are due to be judged: the next portion of them, and what is left."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

FEW = 8
"""Ranges up to which they are read as such."""

_LEFT = "SELECT coalesce(sum(last_id - first_id + 1), 0)::bigint FROM points_due"
_MARK_CITY = "INSERT INTO points_due (first_id, last_id) SELECT min(id), max(id) FROM bill HAVING count(*) > 0"
_FORGET = "DELETE FROM points_due WHERE id = ANY($1::bigint[])"
_SHORTEN = "UPDATE points_due SET first_id = $2 WHERE id = $1"
_NEXT = "SELECT id, first_id, last_id FROM points_due WHERE gone = $1 ORDER BY id LIMIT $2"


@dataclass(frozen=True, slots=True)
class Portion:
    """Ranges of ids, in order and apart from one another.

    Attributes:
        firsts: where each begins.
        lasts: where each ends, itself included.
        gone: whether the bills were deleted.
        size: how many ids were taken from what is due, those that it names twice counted twice.
    """

    firsts: Sequence[int]
    lasts: Sequence[int]
    gone: bool
    size: int

    def joined_to(self, table: str, column: str) -> tuple[str, list[list[int]]]:
        """Return the SQL of the rows of a table that the portion names by a column, and the values of its parameters.

        A few long ranges are read as ranges. Many short ones are told id by id: PostgreSQL knows then how few rows it
        will find, and does not read whole tables to join them.
        """
        if len(self.firsts) <= FEW:
            ranges = "unnest($1::bigint[], $2::bigint[]) r (first_id, last_id)"
            values = [list(self.firsts), list(self.lasts)]
            return f"{ranges} JOIN {table} ON {column} BETWEEN r.first_id AND r.last_id", values
        spans = zip(self.firsts, self.lasts, strict=True)
        ids = [n for first, last in spans for n in range(first, last + 1)]
        return f"unnest($1::bigint[]) r (id) JOIN {table} ON {column} = r.id", [ids]


async def mark_city(connection: asyncpg.Connection) -> None:
    """Let every bill of the city be due."""
    await connection.execute(_MARK_CITY)


async def left(connection: asyncpg.Connection | asyncpg.Pool) -> int:
    """Return how many ids are due."""
    found: int = await connection.fetchval(_LEFT)
    return found


async def take(connection: asyncpg.Connection, most: int) -> Portion | None:
    """Take the next ids from what is due, ``most`` of them; nothing if none is left.

    The transaction must see nobody else who takes.
    """
    for gone in (False, True):
        rows = await connection.fetch(_NEXT, gone, most)
        if rows:
            return await _taken(connection, rows, most, gone=gone)
    return None


async def _taken(
    connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], most: int, *, gone: bool
) -> Portion:
    whole: list[int] = []
    ranges: list[tuple[int, int]] = []
    size = 0
    for row in rows:
        room = most - size
        if room <= 0:
            break
        first, last = row["first_id"], row["last_id"]
        if last - first < room:
            whole.append(row["id"])
        else:
            last = first + room - 1
            await connection.execute(_SHORTEN, row["id"], last + 1)
        ranges.append((first, last))
        size += last - first + 1
    await connection.execute(_FORGET, whole)
    apart = joined(ranges)
    return Portion([first for first, _ in apart], [last for _, last in apart], gone, size)


def joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same ids as ranges in order, none of which touches another: each id once."""
    apart: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if apart and first <= apart[-1][1] + 1:
            apart[-1] = (apart[-1][0], max(apart[-1][1], last))
        else:
            apart.append((first, last))
    return apart
