"""A record becomes a customer of this city: rows inserted, values sealed under this city's keys, points taken in.

A customer who has been here before has a copy here, under the same ids. What refers to its rows stays with them: lines,
SIMs and bills are known again by their keys and take the values that come; whatever else hangs on the customer is
replaced.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.ownership import fence_open
from services.city_node.customer.repository import hold_keys, next_customer_number
from services.city_node.points import moving
from services.city_node.service_request.finding import note_returned
from services.city_node.transfer.packing import FORMAT
from services.city_node.transfer.record import (
    Carried,
    Record,
    carried_tables,
    columns_of,
    sealed_in,
)
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id

# ruff: noqa: S608 - put together from the register and the tables' own columns, never from input
_NUMBER_TAKEN = "SELECT EXISTS (SELECT FROM customer WHERE customer_number = $1 AND id <> $2)"
_LAST_MIGRATION = "SELECT coalesce(max(id), 0) FROM level_migration"
_FORGET_MIGRATIONS = "DELETE FROM level_migration WHERE customer_id = $1 AND id > $2"
_FORGET_EVENTS = """
    DELETE FROM event WHERE position IS NULL AND type = 'guanxi.level.changed.v1' AND subject = '/customers/' || $1::uuid
                        AND time < $2"""
_FORMER_NUMBER = """
    INSERT INTO customer_further_key (source, source_key, customer_id, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"""


class RecordMisfit(Exception):
    """The record has what this program does not know: the other city runs another release."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where and how a record lands.

    Attributes:
        node: the city's division code.
        unit: the unit that the customer belongs to here.
        origin: the city from which the record comes.
        transfer_id: by which it comes.
        at: when.
        number: the number of the line that is to have another here.
        new_number: that other one.
    """

    node: str
    unit: str
    origin: str
    transfer_id: UUID
    at: datetime
    number: str | None = None
    new_number: str | None = None


def require_fit(record: Record, customer_id: UUID | None) -> None:
    """Refuse the record of somebody else, one of another form, or with what this program does not know.

    Raises:
        RecordMisfit: if it is one.
    """
    known = {table.name: set(_columns_sent(table)) for table, _ in carried_tables()}
    tables: Mapping[str, list[dict[str, Any]]] = record.get("tables", {})
    if (
        record.get("customer_id") != str(customer_id)
        or record.get("format") != FORMAT
        or set(tables) - set(known)
    ):
        raise RecordMisfit
    for name, rows in tables.items():
        if any(set(row) - known[name] for row in rows):
            raise RecordMisfit


def _columns_sent(table: Table) -> Iterator[str]:
    hidden = set()
    for column in sealed_in(table.name):
        hidden |= {f"{column.name}_cipher", f"{column.name}_index", column.clear}
        yield from (f"{column.name}_plain", f"{column.name}_form")
    yield from (name for name in columns_of(table) if name not in hidden)


async def land(
    session: AsyncSession, cipher: Cipher, record: Record, arrival: Arrival
) -> list[dict[str, Any]]:
    """Make the record a customer of this city; return what changed of it on the way, as history has it.

    Raises:
        IntegrityError: if something of it contradicts what this city has.
    """
    await hold_keys(session)
    connection = await driver_connection(session)
    tables = {name: [dict(row) for row in rows] for name, rows in record["tables"].items()}
    (profile,) = tables["customer"]
    await _number(session, connection, profile, arrival)
    profile["unit_code"] = arrival.unit
    changes = _renumbered(tables, arrival)
    async with fence_open(connection):
        await _enter(connection, cipher, record, tables, arrival)
    for line in tables.get("subscription", []):
        await note_returned(session, cipher, line["msisdn"])
    return changes


async def _enter(
    connection: asyncpg.Connection,
    cipher: Cipher,
    record: Record,
    tables: Mapping[str, list[dict[str, Any]]],
    arrival: Arrival,
) -> None:
    customer_id = UUID(record["customer_id"])
    migrations = await connection.fetchval(_LAST_MIGRATION)
    for table, carried in reversed(list(carried_tables())):
        if not carried.stays_known:
            await connection.execute(f"DELETE FROM {table.name} p WHERE {carried.of}", customer_id)
    for table, carried in carried_tables():
        rows = [_sealed(cipher, table.name, row) for row in tables.get(table.name, [])]
        _tell_apart(cipher, table.name, rows)
        if rows:
            await connection.execute(_inserting(table, carried, rows), orjson.dumps(rows).decode())
    # History tells of levels again that moved elsewhere, and were counted there.
    await connection.execute(_FORGET_MIGRATIONS, customer_id, migrations)
    await connection.execute(_FORGET_EVENTS, customer_id, arrival.at)
    await moving.move_in(
        connection, customer_id, record["points"], transfer_id=arrival.transfer_id, at=arrival.at
    )
    await moving.note_judged(
        connection, customer_id, record["judged"], origin=arrival.origin, at=arrival.at
    )


async def _number(
    session: AsyncSession,
    connection: asyncpg.Connection,
    profile: dict[str, Any],
    arrival: Arrival,
) -> None:
    """Keep the customer's number; if somebody here has it, give a new one and keep the former as a further key."""
    former, customer_id = profile["customer_number"], UUID(profile["id"])
    if await connection.fetchval(_NUMBER_TAKEN, former, customer_id):
        profile["customer_number"] = await next_customer_number(session, arrival.node)


async def keep_former_number(
    connection: asyncpg.Connection, record: Record, arrival: Arrival
) -> None:
    """Keep the number that the customer had, if another was given here."""
    customer_id = UUID(record["customer_id"])
    former = record["tables"]["customer"][0]["customer_number"]
    if await connection.fetchval(_NUMBER_TAKEN, former, customer_id):
        await connection.execute(
            _FORMER_NUMBER, f"transfer {arrival.origin}", former, customer_id, arrival.at
        )


def _renumbered(
    tables: Mapping[str, list[dict[str, Any]]], arrival: Arrival
) -> list[dict[str, Any]]:
    """Let one line end and another begin with the new number, to which the SIM in use belongs then."""
    if arrival.new_number is None:
        return []
    old = next(
        line
        for line in tables["subscription"]
        if line["msisdn"] == arrival.number and line["status"] != "ended"
    )
    day = business_day(arrival.at).isoformat()
    new = {**old, "id": str(new_id()), "msisdn": arrival.new_number}
    changes = [
        {"field": f"subscriptions/{old['msisdn']}/status", "old": old["status"], "new": "ended"},
        {"field": f"subscriptions/{new['msisdn']}/status", "old": None, "new": old["status"]},
    ]
    old["status"], old["ended_on"] = "ended", day
    tables["subscription"].append(new)
    for sim in tables["sim"]:
        if sim["subscription_id"] == old["id"] and sim["state"] == "active":
            sim["subscription_id"] = new["id"]
    return changes


def _sealed(cipher: Cipher, table: str, row: dict[str, Any]) -> dict[str, Any]:
    for column in sealed_in(table):
        value, kind = row.pop(f"{column.name}_plain"), row.pop(f"{column.name}_form")
        cipher_text = None if value is None else cipher.encrypt(value)
        index = None if value is None else cipher.index(column.form(kind, value))
        row[f"{column.name}_cipher"] = _hex(cipher_text)
        row[f"{column.name}_index"] = _hex(index)
        row[f"{column.name}_is"] = value
    return row


def _tell_apart(cipher: Cipher, table: str, rows: list[dict[str, Any]]) -> None:
    """Of two spellings of one value, let the search find the first alone, as a rotation of keys does."""
    for column in sealed_in(table):
        seen = set()
        for row in rows:
            value = row.pop(f"{column.name}_is")
            key = (row.get("kind"), row[f"{column.name}_index"])
            if value is not None and key in seen and "kind" in row:
                row[f"{column.name}_index"] = _hex(cipher.index(f"{value}\n{row['id']}"))
            seen.add(key)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else f"\\x{value.hex()}"


def _inserting(table: Table, carried: Carried, rows: list[dict[str, Any]]) -> str:
    present = set(rows[0])
    names = [column.name for column in table.columns if column.name in present]
    listed = ", ".join(names)
    sets = ", ".join(f"{name} = excluded.{name}" for name in names if name not in carried.key)
    known = (
        f"ON CONFLICT ({', '.join(carried.key)}) DO UPDATE SET {sets}"
        if carried.stays_known
        else ""
    )
    return f"""
        INSERT INTO {table.name} ({listed})
        SELECT {listed} FROM jsonb_populate_recordset(CAST(NULL AS {table.name}), $1::text::jsonb) {known}"""
