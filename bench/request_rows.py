"""The rows that every kind of cross-region request leaves at both ends, written by bare statements."""

from uuid import UUID

import asyncpg

from bench.cross_region import HOME, VISITED, Somebody

_REQUEST = """
    INSERT INTO service_request (id, kind, role, home, visited, state, awaiting, subject, deadline, data, unit_code,
                                 created_by, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'home', '199****0000', now() + interval '1 day', $7, $8, 'bench', now(), now())"""
_TRAIL = """
    INSERT INTO service_request_event (request_id, at, node, event, note, by)
    SELECT $1, now(), '440300', 'carried', '{"en": "Passed on", "zh": "已转发"}', 'bench' FROM generate_series(1, $2)"""
_MOVE = (
    "UPDATE service_request SET state = $2, version = version + 1, updated_at = now() WHERE id = $1"
)
_LINE = """
    SELECT * FROM customer c JOIN subscription s ON s.customer_id = c.id WHERE s.msisdn = $1 AND s.status <> 'ended'
    FOR UPDATE"""
_AUDIT = """
    INSERT INTO audit_record (at, by, action, subject_type, subject_id, source, fields)
    VALUES (now(), 'bench', 'customer.changed', 'customer', $1, 'message', '["sims"]')"""
_CHANGE = """
    INSERT INTO customer_change (customer_id, at, by, source, action, changes)
    VALUES ($1, now(), 'bench', 'message', 'changed', '[{"field": "sims", "old": null, "new": "active"}]')"""


async def ask(
    database: asyncpg.Connection, request: UUID, kind: str, state: str, data: str = "{}"
) -> None:
    """Write what the visited end keeps of a request when it is asked."""
    await database.execute(_REQUEST, request, kind, "visited", HOME, VISITED, state, data, VISITED)
    await trail(database, request, 1)


async def take_in(
    database: asyncpg.Connection, request: UUID, kind: str, state: str, data: str = "{}"
) -> None:
    """Write what home keeps of it when it has come, with the trail of its way."""
    await database.execute(_REQUEST, request, kind, "home", HOME, VISITED, state, data, HOME)
    await trail(database, request, 6)


async def move(database: asyncpg.Connection, request: UUID, state: str) -> None:
    """Write at either end that a request has got on."""
    await database.execute(_MOVE, request, state)


async def trail(database: asyncpg.Connection, request: UUID, lines: int) -> None:
    """Write so many lines into its trail: one for what an end does itself, more for the nodes of the way."""
    await database.execute(_TRAIL, request, lines)


async def lock_line(database: asyncpg.Connection, person: Somebody) -> None:
    """Find the customer of a number and lock both."""
    await database.fetch(_LINE, person.msisdn)


async def look(database: asyncpg.Connection, person: Somebody) -> None:
    """Write into the audit log that a customer's record was read or changed."""
    await database.execute(_AUDIT, str(person.customer))


async def change(database: asyncpg.Connection, person: Somebody) -> None:
    """Write into a customer's history, and into the audit log, that the record was changed."""
    await database.execute(_CHANGE, person.customer)
    await look(database, person)
