"""Extracts of other systems: CSV text and the mappings that read it."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from services.city_node.customer_import import service
from services.city_node.customer_import.mapping import ImportMapping, read_mapping
from services.city_node.customer_import.models import CustomerImport
from services.city_node.customer_import.service import Desk, Importer
from tests.city.drafts import CITY, id_card
from tests.conftest import TestNode

MAPPING_TEXT = """
[source]
name = "crm"
key = "id"
[customer.name]
column = "name"
[customer.sex]
column = "sex"
map = { f = "female", m = "male" }
[customer.document_type]
constant = "id_card"
[customer.document_number]
column = "document"
[customer.level]
column = "level"
default = "standard"
[customer.library]
column = "gone"
map = { y = "retained", n = "in_network" }
[customer.left_on]
constant = "2026-11-15"
[customer.unit_code]
column = "unit"
default = "440300"
[customer.monthly_charge_fen]
column = "charge"
convert = "yuan"
[customer.entry_date]
column = "entry"
[customer.attributes.hobby]
column = "hobby"
[subscription.msisdn]
column = "msisdn"
[subscription.plan]
column = "plan"
[sim.iccid]
column = "iccid"
[sim.imsi]
column = "imsi"
[bill.period]
constant = "2026-10-01"
[bill.charge_fen]
column = "charge"
convert = "yuan"
[contact.phone]
column = "phone"
"""
MAPPING = read_mapping(MAPPING_TEXT)
HEADER = [
    "id",
    "name",
    "sex",
    "document",
    "level",
    "gone",
    "unit",
    "charge",
    "entry",
    "hobby",
    "msisdn",
    "plan",
    "iccid",
    "imsi",
    "phone",
]
SCOPE = f"000000/440000/{CITY}/"


def row(running: int = 1, **given: Any) -> dict[str, Any]:
    """Return a row of the extract, right by default."""
    return {
        "id": f"C{running}",
        "name": "王芳",
        "sex": "f",
        "document": id_card(running),
        "level": "gold",
        "gone": "n",
        "unit": "",
        "charge": "88.50",
        "entry": "2021-03-01",
        "hobby": "茶",
        "msisdn": f"139{running:08d}",
        "plan": "88",
        "iccid": f"8986002612{running:010d}",
        "imsi": f"46001{running:010d}",
        "phone": f"0755-{running:08d}",
        **given,
    }


def extract(rows: Sequence[Mapping[str, Any]], header: Sequence[str] = HEADER) -> bytes:
    """Return the CSV of these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def importer(node: TestNode, unit: str = CITY) -> Importer:
    """Return somebody of ``unit`` who imports into ``node``."""
    path = SCOPE if unit == CITY else f"{SCOPE}{unit}/"
    return Importer("importer", unit, path, node.code, node.context.cipher)


def desk(node: TestNode, portion: int = 3) -> Desk:
    """Return what ``node`` loads with; portions are small, so that most files have several."""
    return Desk(node.database, node.clock, node.context.cipher, node.code, portion)


async def begin(
    node: TestNode,
    content: bytes | Sequence[Mapping[str, Any]],
    mapping: ImportMapping = MAPPING,
    *,
    unit: str = CITY,
    dry_run: bool = False,
) -> CustomerImport:
    """Register the import of a file."""
    data = content if isinstance(content, bytes) else extract(content)
    async with node.database.transaction() as session:
        return await service.begin(
            session,
            importer(node, unit),
            io.BytesIO(data),
            name="extract.csv",
            mapping=mapping,
            now=node.clock.now(),
            dry_run=dry_run,
        )


async def load(
    node: TestNode,
    content: bytes | Sequence[Mapping[str, Any]],
    mapping: ImportMapping = MAPPING,
    *,
    unit: str = CITY,
    portion: int = 3,
    dry_run: bool = False,
) -> CustomerImport:
    """Load a file."""
    data = content if isinstance(content, bytes) else extract(content)
    begun = await begin(node, data, mapping, unit=unit, dry_run=dry_run)
    return await service.load(desk(node, portion), begun.id, io.BytesIO(data))


def counts(loaded: CustomerImport) -> tuple[int, int, int, int]:
    """Return how many rows made, changed, left alone a record, and were rejected."""
    assert loaded.rows == loaded.created + loaded.changed + loaded.unchanged + loaded.rejected
    return (loaded.created, loaded.changed, loaded.unchanged, loaded.rejected)
