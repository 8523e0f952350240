"""Extracts of lines, bills, usage and interactions, and what a city holds after them."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text

from services.city_node.customer_import.mapping import read_mapping
from tests.conftest import TestNode

LINES = read_mapping("""
[source]
name = "crm"
key = "id"
records = "subscriptions"
[subscription.msisdn]
column = "msisdn"
[subscription.plan]
column = "plan"
[subscription.status]
column = "status"
[subscription.ended_on]
column = "ended"
[subscription.entry_date]
column = "entry"
[sim.iccid]
column = "iccid"
[sim.imsi]
column = "imsi"
""")
BILLS_TEXT = """
[source]
name = "billing"
records = "bills"
[subscription.msisdn]
column = "msisdn"
[bill.period]
column = "month"
convert = "date"
format = "%Y-%m"
[bill.charge_fen]
column = "yuan"
convert = "yuan"
[bill.paid_on]
column = "paid"
"""
BILLS = read_mapping(BILLS_TEXT)
BILLS_BY_KEY = read_mapping(
    BILLS_TEXT.replace(
        'records = "bills"', 'records = "bills"\nkey = "id"\ncustomers = "crm"'
    ).replace('[subscription.msisdn]\ncolumn = "msisdn"\n', "")
)
USAGE = read_mapping("""
[source]
name = "billing"
records = "usage"
[subscription.msisdn]
column = "msisdn"
[usage.period]
column = "month"
convert = "date"
format = "%Y-%m"
[usage.kind]
column = "kind"
[usage.band]
column = "band"
default = "all"
[usage.quantity]
column = "quantity"
""")
CALLS = read_mapping("""
[source]
name = "callcentre"
records = "interactions"
customers = "crm"
key = "id"
[interaction.key]
column = "call"
[interaction.at]
column = "at"
[interaction.channel]
constant = "call_centre"
[interaction.kind]
column = "kind"
map = { "1" = "complaint", "2" = "inquiry" }
[interaction.subject]
column = "subject"
[interaction.summary]
column = "summary"
""")


def table(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the CSV of rows that all have the same columns."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode()


def bill(running: int, month: int, yuan: str = "10.00", paid: str = "") -> dict[str, Any]:
    """Return a bill of the line of one of the people of ``tests.city.extracts``."""
    return {
        "msisdn": f"139{running:08d}",
        "month": f"2026-{month:02d}",
        "yuan": yuan,
        "paid": paid,
    }


_STATE = (
    """SELECT source_key, kind, library, name, name_sort, sex, document_type, encode(document_index, 'hex'), document_masked, level,
        unit_code, contract_term, payment_method, monthly_charge_fen, total_charge_fen, entry_date, left_on, left_reason,
        attributes::text FROM customer ORDER BY 1""",
    """SELECT c.source_key, s.msisdn, s.brand, s.plan, s.contract_term, s.status, s.entry_date, s.ended_on
        FROM subscription s JOIN customer c ON c.id = s.customer_id ORDER BY 1, 2, 6, 7, 8""",
    """SELECT m.iccid, m.imsi, m.state, s.msisdn, m.ended_at FROM sim m JOIN subscription s ON s.id = m.subscription_id ORDER BY 1""",
    """SELECT s.msisdn, b.period, b.charge_fen, b.paid_on, b.customer_id = s.customer_id
        FROM bill b JOIN subscription s ON s.id = b.subscription_id ORDER BY 1, 2, s.id""",
    """SELECT c.source_key, m.kind, m.value FROM contact_medium m JOIN customer c ON c.id = m.customer_id ORDER BY 1, 2, 3""",
    """SELECT s.msisdn, u.period, u.kind, u.band, u.quantity, u.charge_fen, u.customer_id = s.customer_id
        FROM usage_month u JOIN subscription s ON s.id = u.subscription_id ORDER BY 1, 2, 3, 4, s.id""",
    """SELECT c.source_key, i.source, i.source_key, i.at, i.channel, i.kind, i.subject, i.summary
        FROM interaction i JOIN customer c ON c.id = i.customer_id ORDER BY 2, 3""",
)


async def everything(city: TestNode) -> list[list[tuple[Any, ...]]]:
    """Return what a city knows of its customers, without what differs from one run to the next: ids and numbers."""
    async with city.database.transaction() as session:
        return [[tuple(one) for one in await session.execute(text(query))] for query in _STATE]


async def empty(city: TestNode) -> None:
    """Forget everything about customers and imports."""
    async with city.database.transaction() as session:
        await session.execute(text("TRUNCATE customer, customer_import, usage_month CASCADE"))
