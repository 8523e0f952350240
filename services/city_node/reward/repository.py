"""The queries about rewards, and the two that a redemption needs."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import asyncpg
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.reward.models import Reward
from services.city_node.reward.problems import RewardNotFound
from shared.kernel.listing import Listing, Sort

_FIELDS = (
    *("code", "name_zh", "name_en", "points", "stock", "valid_from", "valid_until", "levels"),
    *("version", "updated_at", "updated_by"),
)
rewards = Listing(
    source="reward r",
    key=Sort("r.code", "text"),
    columns={name: f"r.{name}" for name in _FIELDS},
    sorts={"points": Sort("r.points", "bigint"), "code": Sort("r.code", "text")},
    filters={
        "code": "r.code = {}",
        "on": "r.valid_from <= {} AND (r.valid_until IS NULL OR r.valid_until > {})",
        "level": "(r.levels = '[]' OR r.levels ? {})",
        "most": "r.points <= {}",
    },
)
"""The catalogue of a node."""

_OFFERED = """
    r.valid_from <= $3 AND (r.valid_until IS NULL OR r.valid_until > $3) AND (r.levels = '[]' OR r.levels ? $4)"""
# Only a reward that is counted is locked: an uncounted one that many want at once keeps nobody waiting.
_BOOK = f"""
    WITH counted AS (
        UPDATE reward r SET stock = r.stock - $2 WHERE r.code = $1 AND r.stock >= $2 AND {_OFFERED} RETURNING r.points)
    SELECT points FROM counted
    UNION ALL SELECT r.points FROM reward r WHERE r.code = $1 AND r.stock IS NULL AND {_OFFERED}"""  # noqa: S608 - a text of this module
_OFFER = """
    SELECT r.valid_from, r.valid_until, r.stock, ARRAY(SELECT jsonb_array_elements_text(r.levels)) AS levels
    FROM reward r WHERE r.code = $1"""
_RETURN = "UPDATE reward SET stock = stock + $2 WHERE code = $1 AND stock IS NOT NULL"


async def book(
    connection: asyncpg.Connection, code: str, quantity: int, *, today: date, level: str
) -> int | None:
    """Take ``quantity`` of a reward from stock, and return the price of one; nothing if it is not to be had."""
    found: int | None = await connection.fetchval(_BOOK, code, quantity, today, level)
    return found


async def put_back(connection: asyncpg.Connection, code: str, quantity: int) -> None:
    """Put what was taken back into stock."""
    await connection.execute(_RETURN, code, quantity)


async def offer_of(connection: asyncpg.Connection, code: str) -> asyncpg.Record:
    """Return when and for which levels a reward is offered, and how many are left.

    Raises:
        RewardNotFound: if there is none (404).
    """
    found = await connection.fetchrow(_OFFER, code)
    if found is None:
        raise RewardNotFound(code=code)
    return found


async def find(session: AsyncSession, code: str, *, locked: bool = False) -> Reward:
    """Return a reward.

    Raises:
        RewardNotFound: if there is none (404).
    """
    query = select(Reward).where(Reward.code == code).execution_options(populate_existing=True)
    found = await session.scalar(query.with_for_update() if locked else query)
    if found is None:
        raise RewardNotFound(code=code)
    return found


async def add(session: AsyncSession, values: Mapping[str, Any]) -> Reward | None:
    """Add a reward; nothing if its code is in use, also by one that was added at this moment."""
    statement = insert(Reward).values(**values).on_conflict_do_nothing().returning(Reward)
    found: Reward | None = await session.scalar(statement)
    return found
