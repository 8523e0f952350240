"""What an import compares with the node, in temporary tables of the connection that it has to itself.

``import_claim`` holds what the rows of the portion claim, ``import_row`` those of known customers whole, and
``import_change`` what differs; ``import_key`` the keys of all rows that were loaded so far. Every statement runs
through :meth:`Staging.run`, which gives it the values of the run by name.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CursorResult,
    DateTime,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from services.city_node.custom_attribute.declarations import Declarations
from services.city_node.customer.models import customer_number_sequence
from services.city_node.customer_import.layout import CLAIMED, STAGED, Columns, Copy, Row, picker
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.departure.catalogue import Catalogue
from shared.kernel.copy_text import copy_text
from shared.kernel.database import copy_rows
from shared.kernel.encryption import Cipher

_NAMED = re.compile(r"(?<!:):([a-z_]+)")
_CLAIM, _STAGE = picker(tuple(CLAIMED)), picker(tuple(STAGED))


@dataclass(frozen=True, slots=True)
class Run:
    """One import.

    Attributes:
        id: of its row.
        number: its short name.
        began: when it began.
        by: who.
        unit_path: the unit that it reaches: its customers and those below.
        whole_node: whether that is every customer of the node.
        node: division code of the node.
        cipher: the node's keys for personal numbers.
        mapping: how the file is read.
        header: columns of the file.
        declared: what the node says of attributes.
        departures: by which reasons for leaving and destinations become codes.
        allow_erased: whether customers may be made anew who were erased.
    """

    id: UUID
    number: int
    began: datetime
    by: str
    unit_path: str
    whole_node: bool
    node: str
    cipher: Cipher
    mapping: ImportMapping
    header: Sequence[str]
    declared: Declarations = field(default_factory=Declarations)
    departures: Catalogue = field(default_factory=Catalogue)
    allow_erased: bool = False


class Staging:
    """The temporary tables of a run.

    Attributes:
        of: the import.
        session: the portion's transaction; every portion has another.
        now: when the portion is written.
        go_on: has the next portion read meanwhile: called when what is left of this one is PostgreSQL's work. Two
            threads of a program hinder one another, and while rows are sent to it, PostgreSQL would wait for both.
    """

    session: AsyncSession
    now: datetime

    def __init__(self, run: Run, go_on: Callable[[], None]) -> None:
        self.of, self.go_on = run, go_on
        self._values: dict[str, tuple[object, TypeEngine[Any]]] = {
            "import_id": (run.id, Uuid()),
            "import_number": (run.number, BigInteger()),
            "by": (run.by, Text()),
            "scope": (run.unit_path, Text()),
            "source": (run.mapping.source, Text()),
            "customers": (run.mapping.customers, Text()),
            "attributes": (run.mapping.attributes, ARRAY(Text())),
        }

    def begin(self, session: AsyncSession, now: datetime) -> None:
        """Begin a portion, in a transaction of its own."""
        self.session, self.now = session, now
        self._values["now"] = (now, DateTime(timezone=True))

    async def create(self, tables: Iterable[str]) -> None:
        """Make temporary tables, each given as ``name (columns)``; they are gone with the connection."""
        for table in tables:
            await self.session.execute(text(f"CREATE TEMPORARY TABLE {table}"))

    async def run(self, statement: str) -> int:
        """Run a statement of the import; returns how many rows it touched."""
        touched: int = (await self._execute(statement)).rowcount
        return touched

    async def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Return what a query finds."""
        return (await self._execute(query)).all()

    async def lines(self, query: str) -> frozenset[int]:
        """Return the lines that a query finds."""
        return frozenset((await self._execute(query)).scalars())

    async def _execute(self, statement: str) -> CursorResult[Any]:
        bound = [bindparam(name, *self._values[name]) for name in set(_NAMED.findall(statement))]
        result = await self.session.execute(text(statement).bindparams(*bound))
        return cast("CursorResult[Any]", result)

    async def claim(self, rows: Sequence[Row]) -> None:
        """Replace the claims by those of ``rows``."""
        await self.plan_anew()
        await self.refill("import_claim", tuple(CLAIMED), map(_CLAIM, rows))

    async def stage(self, rows: Sequence[Row]) -> None:
        """Replace the staged rows by ``rows``."""
        await self.session.execute(text("TRUNCATE import_change"))
        await self.refill("import_row", tuple(STAGED), map(_STAGE, rows))

    async def join(self, *, by_index: bool) -> None:
        """Have the portion joined with the node's tables row by row, through their indexes, or as the planner likes.

        The planner does not know how much of a table is in memory: for a few thousand rows it would read the lines
        and bills of a whole city, again for every portion.
        """
        setting = "off" if by_index else "on"
        await self.session.execute(
            text(
                "SELECT set_config('enable_hashjoin', :on, true), set_config('enable_mergejoin', :on, true),"
                " set_config('enable_material', :on, true), set_config('random_page_cost', '1', true)"
            ),
            {"on": setting},
        )

    async def plan_anew(self) -> None:
        """Let statements be planned for the tables as they have become, and not as they were at the first portion.

        (plan_cache_mode = force_custom_plan would plan each check of a foreign key, too: five times slower.)
        """
        await self.session.execute(text("DISCARD PLANS"))

    async def refill(
        self, table: str, columns: Sequence[str], records: Iterable[Sequence[object]]
    ) -> None:
        """Replace what a temporary table holds."""
        await self.session.execute(text(f"TRUNCATE {table}"))
        await copy_rows(self.session, table, columns, records)

    async def replace(self, table: str, columns: Sequence[str], rows: bytes) -> None:
        """Replace what a temporary table holds by rows in text form."""
        await self.session.execute(text(f"TRUNCATE {table}"))
        await copy_text(self.session, table, columns, rows)

    async def remember(self, keys: Iterable[tuple[str, int]]) -> None:
        """Note the keys of rows that are loaded, each with its line."""
        await copy_rows(self.session, "import_key", ("key", "line"), keys)

    async def copy(self, copy: Copy, rows: Sequence[Row]) -> None:
        """Copy what ``rows`` have for a table into it."""
        present = (
            rows
            if copy.only_with is None
            else [row for row in rows if row[copy.only_with] is not None]
        )
        if present:
            await copy_rows(self.session, copy.table, copy.columns, map(copy.pick, present))

    async def numbers(self, count: int) -> Sequence[int]:
        """Draw ``count`` running numbers for new customers."""
        drawn = select(customer_number_sequence.next_value()).select_from(
            func.generate_series(1, count)
        )
        return (await self.session.scalars(drawn)).all()


def typed(columns: Columns) -> str:
    """Return columns as ``CREATE TABLE`` has them."""
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())
