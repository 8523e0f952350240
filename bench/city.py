"""A city to measure: a database of its own, and made-up customers of whom every value is valid."""

import contextlib
import csv
import io
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from services.city_node.customer_import.mapping import ImportMapping, read_mapping
from services.city_node.customer_import.models import CustomerImport
from services.city_node.customer_import.service import Desk, Importer, begin, load
from shared.capability import NodeContext
from shared.kernel.embedded_postgres import NODE_ROLE, SUPERUSER
from shared.kernel.settings import load_settings
from shared.node.tiers import load_tables
from shared.organisation.service import ensure_divisions, path_of_division
from shared.startup import open_context

CITY = "440300"
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
MAPPING = """
[source]
name = "bench"
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
column = "charge"
convert = "bands"
bands = [[100, "diamond"], [70, "gold"], [30, "silver"], [0, "standard"]]
[customer.contract_term]
column = "contract"
map = { m = "monthly", y = "one_year" }
[customer.monthly_charge_fen]
column = "charge"
convert = "yuan"
[customer.entry_date]
column = "tenure"
convert = "months_before"
reference = "2026-11-01"
[customer.attributes.internet]
column = "internet"
[customer.attributes.partner]
column = "partner"
[subscription.msisdn]
column = "msisdn"
[subscription.brand]
constant = "全球通"
[sim.iccid]
column = "iccid"
[sim.imsi]
column = "imsi"
[bill.period]
constant = "2026-10-01"
[bill.charge_fen]
column = "charge"
convert = "yuan"
"""
_HEADER = "id name sex document charge tenure contract internet partner msisdn iccid imsi".split()  # noqa: SIM905 - read as a header
_SURNAMES, _GIVEN = "王李张刘陈杨黄赵周吴", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_FIRST_BIRTHDAY, _BIRTHDAYS = date(1950, 1, 1), 20_000


@contextlib.asynccontextmanager
async def open_city(home: Path) -> AsyncIterator[NodeContext]:
    """Open a city with an embedded PostgreSQL of its own below ``home``."""
    load_tables()
    async with open_context(load_settings(code=CITY, home=home, log_level="error")) as context:
        await ensure_divisions(context)
        yield context


def owner_url(context: NodeContext) -> str:
    """Return the address of the city's database as the owner of the tables, who may vacuum and make checkpoints."""
    return context.database.url.replace(f"//{NODE_ROLE}@", f"//{SUPERUSER}@")


def mapping() -> ImportMapping:
    """Return how :func:`people` is read."""
    return read_mapping(MAPPING)


async def load_file(
    context: NodeContext, content: bytes, how: ImportMapping, name: str = "bench.csv"
) -> CustomerImport:
    """Load a file."""
    importer = Importer("bench", CITY, path_of_division(CITY), CITY, context.cipher)
    file = io.BytesIO(content)
    async with context.database.transaction() as session:
        begun = await begin(session, importer, file, name=name, mapping=how, now=NOW)
    desk = Desk(context.database, context.clock, context.cipher, CITY)
    return await load(desk, begun.id, file)


def people(rows: int) -> bytes:
    """Return the CSV of made-up customers; the same for the same number."""
    dice = random.Random(rows)  # noqa: S311 - repeatable, and nobody's secret
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    for n in range(rows):
        name = dice.choice(_SURNAMES) + dice.choice(_GIVEN) + dice.choice(_GIVEN)
        charge = f"{dice.randint(1800, 12_000) / 100:.2f}"
        writer.writerow(
            [
                f"P{n:07d}", name, dice.choice("fm"), _id_card(n), charge, dice.randint(0, 72), dice.choice("my"),
                dice.choice(["DSL", "Fiber"]), dice.choice("01"), f"138{n:08d}", f"8986002611{n:010d}", f"46000{n:010d}",
            ]
        )  # fmt: skip
    return text.getvalue().encode()


def _id_card(n: int) -> str:
    born = _FIRST_BIRTHDAY + timedelta(days=n % _BIRTHDAYS)
    digits = f"440300{born:%Y%m%d}{n // _BIRTHDAYS:03d}"
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True))
    return digits + "10X98765432"[total % 11]
