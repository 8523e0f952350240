"""What an import compares with the node, in temporary tables of its transaction.

``import_claim`` holds what the rows of the batch claim, ``import_row`` those of known customers whole, and
``import_change`` what differs; ``import_key`` the keys of all batches so far. Every statement runs through
:meth:`Staging.run`, which gives it the values of the run by name.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, CursorResult, DateTime, Text, Uuid, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from services.city_node.customer.models import customer_number_sequence
from services.city_node.customer_import.layout import CLAIMED, STAGED, Columns, Copy, Row, picker
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.rows import RowFault
from services.city_node.personal_data.service import hold_keys_for_bulk
from shared.kernel.database import copy_rows

_NAMED = re.compile(r"(?<!:):([a-z_]+)")
_CLAIM, _STAGE = picker(tuple(CLAIMED)), picker(tuple(STAGED))
_LOCK = 0x696D706F7274
"""Key of the advisory lock that imports take turns under: ``import`` in ASCII."""


@dataclass(frozen=True, slots=True)
class Run:
    """One import.

    Attributes:
        id: of its row.
        now: when.
        by: who.
        unit_path: the unit that it reaches: its customers and those below.
        mapping: how the file is read.
    """

    id: UUID
    now: datetime
    by: str
    unit_path: str
    mapping: ImportMapping


class Staging:
    """The temporary tables of a run."""

    def __init__(self, session: AsyncSession, run: Run) -> None:
        self._session = session
        self._values: dict[str, tuple[object, TypeEngine[Any]]] = {
            "import_id": (run.id, Uuid()),
            "now": (run.now, DateTime(timezone=True)),
            "by": (run.by, Text()),
            "scope": (run.unit_path, Text()),
            "source": (run.mapping.source, Text()),
            "key_column": (run.mapping.key, Text()),
            "attributes": (run.mapping.attributes, ARRAY(Text())),
        }
        for filling in run.mapping.fillings.values():
            if filling.target.column:
                name = filling.column or filling.target.name
                self._values[f"of_{filling.target.column}"] = (name, Text())
        self._values.setdefault("of_unit_code", ("customer.unit_code", Text()))

    async def prepare(self) -> None:
        """Wait for the turn, and make the tables."""
        for statement in (
            # One file at a time: two that name the same customer or number would wait for one another for ever.
            f"SELECT pg_advisory_xact_lock({_LOCK})",
            f"CREATE TEMPORARY TABLE import_claim ({_columns(CLAIMED)}) ON COMMIT DROP",
            f"CREATE TEMPORARY TABLE import_row ({_columns(STAGED)}, line_known boolean DEFAULT false) ON COMMIT DROP",
            "CREATE TEMPORARY TABLE import_key (key text PRIMARY KEY, line bigint) ON COMMIT DROP",
            "CREATE TEMPORARY TABLE import_change (line bigint, customer_id uuid, action text, changes jsonb) ON COMMIT DROP",
        ):
            await self._session.execute(text(statement))
        await hold_keys_for_bulk(self._session)

    async def run(self, statement: str) -> int:
        """Run a statement of the import; returns how many rows it touched."""
        touched: int = (await self._execute(statement)).rowcount
        return touched

    async def _execute(self, statement: str) -> CursorResult[Any]:
        bound = [bindparam(name, *self._values[name]) for name in set(_NAMED.findall(statement))]
        result = await self._session.execute(text(statement).bindparams(*bound))
        return cast("CursorResult[Any]", result)

    async def lines(self, query: str) -> frozenset[int]:
        """Return the lines that a query finds."""
        return frozenset((await self._execute(query)).scalars())

    async def claim(self, rows: Sequence[Row]) -> None:
        """Begin a batch: replace the claims by those of ``rows``."""
        # Statements are planned anew for the tables as they have become, and not as they were at the first batch.
        # (plan_cache_mode = force_custom_plan would plan each check of a foreign key, too: five times slower.)
        await self._session.execute(text("DISCARD PLANS"))
        await self._refill("import_claim", CLAIMED, map(_CLAIM, rows))

    async def stage(self, rows: Sequence[Row]) -> None:
        """Replace the staged rows by ``rows``."""
        await self._session.execute(text("TRUNCATE import_change"))
        await self._refill("import_row", STAGED, map(_STAGE, rows))

    async def _refill(
        self, table: str, columns: Columns, records: Iterable[Sequence[object]]
    ) -> None:
        await self._session.execute(text(f"TRUNCATE {table}"))
        await copy_rows(self._session, table, list(columns), records)

    async def copy(self, copy: Copy, rows: Sequence[Row]) -> None:
        """Copy what ``rows`` have for a table into it."""
        present = (
            rows
            if copy.only_with is None
            else [row for row in rows if row[copy.only_with] is not None]
        )
        if present:
            await copy_rows(self._session, copy.table, copy.columns, map(copy.pick, present))

    async def numbers(self, count: int) -> Sequence[int]:
        """Draw ``count`` running numbers for new customers."""
        drawn = select(customer_number_sequence.next_value()).select_from(
            func.generate_series(1, count)
        )
        return (await self._session.scalars(drawn)).all()

    async def reject(self, run_id: UUID, faults: Sequence[RowFault]) -> None:
        """Note why rows of the file are not loaded."""
        if faults:
            columns = ("import_id", "line", "column", "value", "reason")
            await copy_rows(
                self._session,
                "customer_import_reject",
                columns,
                [(run_id, *fault) for fault in faults],
            )


def _columns(columns: Columns) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())
