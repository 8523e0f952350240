"""Loading bills, usage and interactions: portion by portion, set-wise, each known again by its natural key.

A line is named by its number: the record belongs to the latest line with that number that began by the record's month
(or day). Without a number the customer's key names the line, if the customer has one. The customers are locked, as by
everybody who changes what hangs on them; what is new is inserted in the order of the index; what differs is kept as it
was, and corrected. A record that the same import has written already cannot be written otherwise by a later row.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

from services.city_node.customer_import.charging import CHARGE_TABLE, charge
from services.city_node.customer_import.columns import Columns, constants
from services.city_node.customer_import.line_records import LINE_RECORDS
from services.city_node.customer_import.line_statements import NUMBER, LineStatements
from services.city_node.customer_import.line_waves import Wave, waves
from services.city_node.customer_import.loading import Loaded
from services.city_node.customer_import.models import Records
from services.city_node.customer_import.problems import ImportDisturbed
from services.city_node.customer_import.rejecting import RowFault
from services.city_node.customer_import.staging import Run, Staging

_FAULTS = "SELECT line, objection FROM import_found WHERE objection IS NOT NULL ORDER BY line"
_LOCK = """
    SELECT count(*) FROM (
        SELECT FROM customer c WHERE c.id IN (SELECT f.customer_id FROM import_found f) ORDER BY c.id FOR NO KEY UPDATE
    ) locked"""
_MOVED = """
    SELECT count(*) FROM (SELECT DISTINCT subscription_id, customer_id FROM import_found) f
    JOIN subscription s ON s.id = f.subscription_id WHERE s.customer_id <> f.customer_id"""
_COUNT = """
    SELECT count(objection), count(*) FILTER (WHERE objection IS NULL AND NOT known),
           count(*) FILTER (WHERE objection IS NULL AND known AND NOT same) FROM import_found"""


class LineLoader:
    """Loads the records of one file."""

    portion = 40_000

    def __init__(self, run: Run) -> None:
        self._mapping = run.mapping
        self._record = LINE_RECORDS[run.mapping.records]
        self._statements = LineStatements(run.mapping, self._record, whole_node=run.whole_node)
        same = constants(run.mapping.fillings)
        self._constants: Mapping[str, object] = {
            **self._record.defaults,
            **{self._record.targets[name]: value for name, value in same.items()},
        }
        named = "msisdn" if run.mapping.fills(NUMBER) else "key"
        own = (named,) if self._record.owner == "subscription" else ()
        self._key = (*own, *self._record.key)

    async def prepare(self, staging: Staging) -> None:
        """Make the temporary tables."""
        await staging.create((*self._statements.tables, CHARGE_TABLE))

    def build(self, columns: Columns, now: datetime) -> tuple[list[Wave], list[RowFault]]:
        """Make records, in waves; a row that names no line is at fault."""
        del now
        records: dict[str, Sequence[Any]] = {"line": columns.lines}
        if columns.keys is not None:
            records["key"] = columns.keys
        for name, values in columns.values.items():
            records[self._record.targets.get(name, "msisdn")] = values
        for name, value in self._constants.items():
            records.setdefault(name, [value] * len(columns.lines))
        faults = list[RowFault]()
        if None in records.get("msisdn", ()):
            named = [number is not None for number in records["msisdn"]]
            nameless = compress(columns.lines, [not one for one in named])
            faults = [RowFault(line, NUMBER, "is empty") for line in nameless]
            records = {name: list(compress(values, named)) for name, values in records.items()}
        return waves(records, self._key, self._record.alone), faults

    async def load(self, staging: Staging, rows: Sequence[Wave]) -> tuple[Loaded, list[RowFault]]:
        """Load records, wave by wave."""
        loaded, faults = Loaded(), list[RowFault]()
        for wave in rows:
            more, wrong = await self._load(staging, wave)
            loaded += more
            faults += wrong
        return loaded, faults

    async def resume(
        self, staging: Staging, done: AsyncIterator[Columns], rejected: Collection[int]
    ) -> None:
        """Read past them: what the file has had already is known by ``import_number``."""
        del staging, rejected
        async for _ in done:
            pass

    async def _load(self, staging: Staging, wave: Wave) -> tuple[Loaded, list[RowFault]]:
        sql = self._statements
        await staging.plan_anew()
        await staging.join(by_index=not sql.by_number)
        await staging.run("TRUNCATE import_found")
        await staging.replace("import_record", wave.columns, wave.rows)
        await staging.run(sql.resolve)
        await staging.join(by_index=True)
        ((wrong, new, differing),) = await staging.rows(_COUNT)
        faults = list[RowFault]()
        if wrong:
            found = await staging.rows(_FAULTS)
            faults = [RowFault(line, *sql.objections[objection]) for line, objection in found]
            await staging.run("DELETE FROM import_found WHERE objection IS NOT NULL")
        if new or differing:
            await self._write(staging, new=new, differing=differing)
        unchanged = wave.size - len(faults) - new - differing
        return Loaded(created=new, changed=differing, unchanged=unchanged), faults

    async def _write(self, staging: Staging, *, new: int, differing: int) -> None:
        sql = self._statements
        await staging.rows(_LOCK)
        if self._record.owner == "subscription" and (await staging.rows(_MOVED))[0][0]:
            raise ImportDisturbed(constraint="subscription")
        staging.go_on()
        if differing:
            for statement in sql.correct:
                await staging.run(statement)
        if new:
            await staging.run(sql.insert)
        if self._mapping.records is Records.BILLS:
            await charge(staging, corrected=bool(differing))
