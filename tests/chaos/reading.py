"""What the databases of a nation hold, read while it runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text

from shared.federation.keys import NodeKey
from shared.federation.verification import Break, Verifier
from shared.kernel.database import Database
from tests.chaos.checker import Effect, Evidence, Figures
from tests.chaos.nation import Member, Nation
from tests.chaos.schedule import CITIES, PARENTS

_UNACKNOWLEDGED = """
SELECT o.message_id, o.lane FROM federation_outbox o
LEFT JOIN federation_lane l ON l.peer = o.peer AND l.lane = o.lane AND l.direction = 'out'
WHERE o.sequence IS NULL OR o.sequence > coalesce(l.acknowledged, 0)
"""
_DONE = "SELECT (SELECT count(*) FROM chaos_effect) + (SELECT count(*) FROM chaos_answer) AS done"
_PARKED = "SELECT message_id, lane, origin FROM federation_inbox WHERE state = 'parked'"
_FIGURES = """
SELECT node, dataset, period, revision, hash FROM statistics_slice WHERE superseded_at IS NULL
"""


async def has_told_all(member: Member) -> bool:
    """Tell whether its peers have everything that a node has to tell them."""
    return not await _rows(member.postgres.url, _UNACKNOWLEDGED)


async def has_met_parent(member: Member, since: datetime) -> bool:
    """Tell whether a node has spoken with its parent, and so reconciled with it, since a moment."""
    rows = await _rows(
        member.postgres.url, "SELECT last_contact_at FROM federation_peer WHERE relation = 'parent'"
    )
    return any(row["last_contact_at"] and row["last_contact_at"] > since for row in rows)


async def progress(nation: Nation) -> tuple[int, ...]:
    """Return how many messages are under way and how much there is by now: what no longer changes has come to rest."""
    under_way = done = 0
    for code, member in nation.members.items():
        under_way += len(await _rows(member.postgres.url, _UNACKNOWLEDGED))
        if code in CITIES:
            (counts,) = await _rows(member.postgres.url, _DONE)
            done += counts["done"]
    return under_way, done


async def evidence(nation: Nation) -> Evidence:
    """Read everything that is judged."""
    kept: set[UUID] = set()
    effects: list[Effect] = []
    answers: list[UUID] = []
    pending: set[UUID] = set()
    pending_figures: set[str] = set()
    told: list[Figures] = []
    known: set[tuple[str, Figures]] = set()
    breaks = 0
    for code, member in nation.members.items():
        url = member.postgres.url
        kept |= {row["id"] for row in await _rows(url, "SELECT id FROM chaos_request")}
        effects += [Effect(code, **row) for row in await _rows(url, "SELECT * FROM chaos_effect")]
        answers += [
            row["request_id"] for row in await _rows(url, "SELECT request_id FROM chaos_answer")
        ]
        for row in await _rows(url, _UNACKNOWLEDGED):
            pending.add(row["message_id"])
            if row["lane"] == "rollup":
                pending_figures |= {city for city in CITIES if code in above(city)}
        for row in await _rows(url, _PARKED):
            pending.add(row["message_id"])
            if row["lane"] == "rollup":
                pending_figures.add(row["origin"])
        for row in await _rows(url, _FIGURES):
            values = dict(row)
            figures = Figures(values.pop("node"), **values)
            if code == figures.city:
                told.append(figures)
            else:
                known.add((code, figures))
        breaks += len(await unverifiable(member))
    return Evidence(
        kept=frozenset(kept),
        effects=effects,
        answers=answers,
        pending=frozenset(pending),
        told=told,
        known=frozenset(known),
        expected_at=frozenset((node, city) for city in CITIES for node in above(city)[1:]),
        pending_figures=frozenset(pending_figures),
        unverifiable_receipts=breaks,
    )


def above(city: str) -> list[str]:
    """Return a city and the nodes above it."""
    chain, code = [], city
    while code:
        chain.append(code)
        code = PARENTS[code] or ""
    return chain


async def unverifiable(member: Member) -> list[Break]:
    """Return where a node's evidence does not hold: what ``guanxi federation verify`` finds."""
    key = NodeKey.load_or_create(member.home / "nodes" / member.code / "keys")
    database = Database(member.postgres.url)
    try:
        async with database.transaction() as session:
            await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            return (await Verifier(session, member.code, key.public).verify()).breaks
    finally:
        await database.close()


async def _rows(url: str, query: str) -> Sequence[Mapping[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        rows: Sequence[Mapping[str, Any]] = await connection.fetch(query)
        return rows
    finally:
        await connection.close()
