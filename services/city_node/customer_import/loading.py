"""From the rows of a portion to customers and their lines.

A portion has rows of customers who are new and of customers who are known by source and key
(:mod:`~services.city_node.customer_import.knowing`). The new ones are copied
straight into the tables; the known ones are compared first (:mod:`~services.city_node.customer_import.changing`), so
that the same file again changes nothing.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.city_node.customer.repository import NUMBER_DIGITS
from services.city_node.customer_import.changing import Changes
from services.city_node.customer_import.checking import Checks
from services.city_node.customer_import.columns import Columns
from services.city_node.customer_import.knowing import lock_known
from services.city_node.customer_import.layout import CLAIMED, COPIES, SLOTS, STAGED, Row
from services.city_node.customer_import.rejecting import RowFault
from services.city_node.customer_import.rows import RowBuilder
from services.city_node.customer_import.staging import Run, Staging, typed

LINE, CUSTOMER_NUMBER = SLOTS["line"], SLOTS["customer_number"]
_TABLES = (
    f"import_claim ({typed(CLAIMED)}, customer_id uuid, governs boolean DEFAULT true)",
    f"import_row ({typed(STAGED)}, line_known boolean DEFAULT false, governs boolean DEFAULT true)",
    "import_key (key text PRIMARY KEY, line bigint)",
    "import_change (line bigint, customer_id uuid, action text, changes jsonb)",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of rows that were accepted."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: "Loaded") -> "Loaded":
        return Loaded(
            self.created + other.created,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
        )


class Loader(Protocol):
    """How records of one kind are loaded, so many rows in a portion."""

    portion: int

    async def prepare(self, staging: Staging) -> None:
        """Make the temporary tables."""
        ...

    def build(self, columns: Columns, now: datetime) -> tuple[Sequence[Any], list[RowFault]]:
        """Make rows of values that are converted, and tell what does not fit together in others.

        It waits for nothing, so that it can be done in a thread while PostgreSQL works on the portion before.
        """
        ...

    async def load(self, staging: Staging, rows: Sequence[Any]) -> tuple[Loaded, list[RowFault]]:
        """Load what contradicts nothing, and tell what does."""
        ...

    async def resume(
        self, staging: Staging, done: AsyncIterator[Columns], rejected: Collection[int]
    ) -> None:
        """Take up an import of which these rows are done, apart from those on the rejected lines."""
        ...


class CustomerLoader:
    """Loads customers, or lines of customers who are known."""

    portion = 10_000

    def __init__(self, run: Run, unit_code: str) -> None:
        constants = {
            "unit_code": unit_code,
            "source": run.mapping.customers,
            "by": run.by,
            "import_id": run.id,
            "import_number": run.number,
        }
        self._builder = RowBuilder(
            run.mapping,
            run.header,
            run.cipher,
            began=run.began,
            run=constants,
            declared=run.declared,
            departures=run.departures,
        )
        self._checks, self._changes = Checks(run.mapping), Changes(run.mapping)

    async def prepare(self, staging: Staging) -> None:
        """Make the temporary tables."""
        await staging.create(_TABLES)

    def build(self, columns: Columns, now: datetime) -> tuple[list[Row], list[RowFault]]:
        """Make rows."""
        return self._builder.build(columns, now)

    async def load(self, staging: Staging, rows: Sequence[Row]) -> tuple[Loaded, list[RowFault]]:
        """Load rows, part by part where one part makes way for the next."""
        staging.go_on()
        loaded, faults, rest = Loaded(), list[RowFault](), list(rows)
        while rest:
            checked = await self._checks.check(staging, rest)
            faults += checked.faults
            if checked.accepted:
                loaded += await self._load(staging, checked.accepted)
            rest = checked.rest
        return loaded, faults

    async def resume(
        self, staging: Staging, done: AsyncIterator[Columns], rejected: Collection[int]
    ) -> None:
        """Note again which keys the file had up to where it goes on."""
        async for columns in done:
            rows, _ = self._builder.build(columns, staging.now)
            await staging.remember(
                (self._checks.natural_key(row), row[LINE])
                for row in rows
                if row[LINE] not in rejected
            )

    async def _load(self, staging: Staging, rows: Sequence[Row]) -> Loaded:
        lines = await lock_known(staging)
        new = [row for row in rows if row[LINE] not in lines] if lines else rows
        known = [row for row in rows if row[LINE] in lines] if lines else []
        await staging.join(by_index=False)
        if new:
            await self._create(staging, new)
        changed = await self._changes.apply(staging, known) if known else 0
        return Loaded(created=len(new), changed=changed, unchanged=len(known) - changed)

    @staticmethod
    async def _create(staging: Staging, rows: Sequence[Row]) -> None:
        for row, running in zip(rows, await staging.numbers(len(rows)), strict=True):
            row[CUSTOMER_NUMBER] = f"{staging.of.node}{running:0{NUMBER_DIGITS}d}"
        for copy in COPIES:
            await staging.copy(copy, rows)
