"""The queries about offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.profile import SOURCE
from services.city_node.offer.judging import Room
from services.city_node.offer.models import Offer, OfferConflict, OfferGrant, OfferQuota
from services.city_node.offer.problems import OfferNotFound
from services.city_node.query.condition import Condition
from services.city_node.query.statement import Binder, Compiler, Numbered
from shared.kernel.encryption import Cipher
from shared.organisation.models import OrganisationUnit

# ruff: noqa: S608 - put together from the texts of this module and the query's catalogue, never from input
CATALOGUE_LOCK = 0x6F66666572
"""Key of the advisory lock of those who change the catalogue: ``offer`` in ASCII."""
CONDITIONS_AT_ONCE = 20
"""Conditions of one statement: each may have hundreds of values, and a statement has a limit."""

_HELD = """
    SELECT offer_code, granted_on, valid_until, state, uses, used FROM offer_grant
    WHERE customer_id = $1 AND granted_on >= $2 AND state <> 'refused' ORDER BY id"""
_CONFLICTS = """
    SELECT one_code, other_code FROM offer_conflict WHERE one_code = ANY($1) OR other_code = ANY($1)"""
_ROOM = """
    SELECT DISTINCT ON (q.offer_code) q.offer_code, q.year, q.unit_code, q.uses - q.reserved AS uses,
           q.budget_fen - q.reserved_fen AS budget_fen
    FROM offer_quota q WHERE q.offer_code = ANY($1) AND q.year = $2 AND q.unit_code = ANY($3::text[])
    ORDER BY q.offer_code, array_position($3::text[], q.unit_code::text) DESC"""
# One statement: whoever else grants of this quota waits, and is then measured by what is left.
_RESERVE = """
    UPDATE offer_quota SET reserved = reserved + $4, reserved_fen = reserved_fen + $5
    WHERE offer_code = $1 AND year = $2 AND unit_code = $3
      AND (uses IS NULL OR reserved + $4 <= uses) AND (budget_fen IS NULL OR reserved_fen + $5 <= budget_fen)
    RETURNING true"""
_RELEASE = """
    UPDATE offer_quota SET reserved = reserved - $4, reserved_fen = reserved_fen - $5
    WHERE offer_code = $1 AND year = $2 AND unit_code = $3"""
_UNITS = """
    SELECT w.code FROM unnest($1::text[]) AS w (code)
    WHERE NOT EXISTS (SELECT FROM organisation_unit u WHERE u.code = w.code AND (u.active OR $3) AND starts_with(u.path, $2))"""


@dataclass(frozen=True, slots=True)
class Held:
    """A grant that a customer has, or had in the year."""

    offer: str
    granted_on: date
    valid_until: date
    state: str
    uses: int
    used: int


async def hold_catalogue(session: AsyncSession) -> None:
    """Let nobody else change the catalogue before the transaction ends: a pair of offers is a matter of both."""
    await session.execute(select(func.pg_advisory_xact_lock(CATALOGUE_LOCK)))


async def find(session: AsyncSession, code: str, *, locked: bool = False) -> Offer:
    """Return an offer.

    Raises:
        OfferNotFound: if there is none (404).
    """
    query = select(Offer).where(Offer.code == code).execution_options(populate_existing=True)
    found = await session.scalar(query.with_for_update() if locked else query)
    if found is None:
        raise OfferNotFound(code=code)
    return found


async def add(session: AsyncSession, values: Mapping[str, Any]) -> Offer | None:
    """Add an offer; nothing if its code is in use, also by one that was added at this moment."""
    statement = insert(Offer).values(**values).on_conflict_do_nothing().returning(Offer)
    found: Offer | None = await session.scalar(statement)
    return found


async def named(session: AsyncSession, codes: Sequence[str]) -> Sequence[Offer]:
    """Return the offers of these codes that there are, in the order of their codes."""
    query = select(Offer).where(Offer.code.in_(codes)).order_by(Offer.code)
    return (await session.scalars(query)).all()


async def present(session: AsyncSession, today: date, scope: str) -> Sequence[Offer]:
    """Return the offers that are not over and that are for units on the reader's line, in the order of their codes."""
    path = OrganisationUnit.path
    on_line = or_(func.starts_with(path, scope), func.starts_with(scope, path))
    units = exists().where(Offer.units.has_key(OrganisationUnit.code), on_line)
    query = select(Offer).where(or_(Offer.valid_until.is_(None), Offer.valid_until > today), units)
    return (await session.scalars(query.order_by(Offer.code))).all()


async def units_out_of_scope(
    connection: asyncpg.Connection, codes: Sequence[str], scope: str, *, closed: bool = False
) -> list[str]:
    """Return which of these are no active units below ``scope``; with ``closed``, those that were count, too."""
    return [row["code"] for row in await connection.fetch(_UNITS, codes, scope, closed)]


async def conflicting(
    connection: asyncpg.Connection, codes: Sequence[str]
) -> Mapping[str, set[str]]:
    """Return the offers that each of these is paired with, either way."""
    found: dict[str, set[str]] = {code: set() for code in codes}
    for row in await connection.fetch(_CONFLICTS, codes):
        one, other = row["one_code"], row["other_code"]
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found


async def pair(session: AsyncSession, code: str, others: Sequence[str]) -> None:
    """Let an offer conflict with these others alone."""
    pairs = [sorted((code, other)) for other in others]
    mine = or_(OfferConflict.one_code == code, OfferConflict.other_code == code)
    await session.execute(delete(OfferConflict).where(mine))
    if pairs:
        rows = [{"one_code": one, "other_code": other} for one, other in pairs]
        await session.execute(insert(OfferConflict), rows)


async def held(connection: asyncpg.Connection, customer_id: UUID, since: date) -> Sequence[Held]:
    """Return the grants of a customer since a day, those that were refused left out."""
    rows = await connection.fetch(_HELD, customer_id, since)
    return [Held(*row) for row in rows]


async def room(
    connection: asyncpg.Connection, codes: Sequence[str], year: int, units: Sequence[str]
) -> Mapping[str, Room]:
    """Return what is left of the quota of the nearest unit that has one, by offer."""
    rows = await connection.fetch(_ROOM, codes, year, units)
    return {row["offer_code"]: Room(*list(row)[1:]) for row in rows}


async def reserve(
    connection: asyncpg.Connection, code: str, quota: Room, *, uses: int, cost_fen: int
) -> bool:
    """Take uses and their cost from a quota; tells whether there were so many."""
    done = await connection.fetchval(_RESERVE, code, quota.year, quota.unit, uses, uses * cost_fen)
    return bool(done)


async def release(connection: asyncpg.Connection, row: OfferGrant, *, uses: int) -> None:
    """Give uses that a grant holds no longer, and their cost, back to its quota."""
    quota = row.offer_code, row.quota_year, row.quota_unit
    await connection.execute(_RELEASE, *quota, uses, uses * row.cost_fen)


async def quota(
    session: AsyncSession, code: str, year: int, unit: str, *, locked: bool = False
) -> OfferQuota | None:
    """Return a unit's quota of an offer in a year."""
    query = select(OfferQuota).where(
        OfferQuota.offer_code == code, OfferQuota.year == year, OfferQuota.unit_code == unit
    )
    query = query.execution_options(populate_existing=True)
    found: OfferQuota | None = await session.scalar(query.with_for_update() if locked else query)
    return found


async def meeting(
    connection: asyncpg.Connection,
    customer_id: UUID,
    conditions: Mapping[str, Condition],
    *,
    today: date,
    cipher: Cipher,
) -> set[str]:
    """Return of which offers a customer meets the condition, given by the offer's code."""
    found: set[str] = set()
    codes = list(conditions)
    for start in range(0, len(codes), CONDITIONS_AT_ONCE):
        some = codes[start : start + CONDITIONS_AT_ONCE]
        binder = Numbered()
        who = binder.bind(customer_id, "uuid")
        compiler = Compiler(binder, today, cipher)
        answers = ", ".join(f"({compiler.sql(conditions[code])}) IS TRUE" for code in some)
        row = await connection.fetchrow(
            f"SELECT {answers} FROM {SOURCE} WHERE c.id = {who}", *binder.values
        )
        if row is not None:
            found |= {code for code, is_met in zip(some, row, strict=True) if is_met}
    return found


@dataclass(frozen=True, slots=True)
class Eligible:
    """Being a customer whom an offer is for, the condition aside: the restriction of a selection."""

    units: Sequence[str]
    levels: Sequence[str]

    def sql(self, binder: Binder) -> str:
        """Return it as a condition on customer ``c`` with unit ``u``."""
        units = binder.bind(list(self.units), "text[]")
        levels = binder.bind(list(self.levels), "text[]")
        return (
            f"c.library = 'in_network' AND c.level = ANY({levels}) "
            f"AND string_to_array(u.path, '/') && {units}"
        )
