"""Loading bills, usage and interactions: portion by portion, set-wise, each known again by its natural key.

A line is named by its number: the record belongs to the latest line with that number that began by the record's month
(or day). Without a number the customer's key names the line, if the customer has one. The customers are locked, as by
everybody who changes what hangs on them; what is new is inserted in the order of the index; what differs is kept as it
was, and corrected. A record that the same import has written already cannot be written otherwise by a later row.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

from services.city_node.customer.ownership import NOT_LIVE
from services.city_node.customer_import.before import images
from services.city_node.customer_import.charging import CHARGE_TABLE, charge
from services.city_node.customer_import.columns import Columns, constants
from services.city_node.customer_import.knowing import BY_KEY, ELSEWHERE
from services.city_node.customer_import.line_records import LINE_RECORDS, LineRecord
from services.city_node.customer_import.loading import Loaded
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.models import Records
from services.city_node.customer_import.problems import ImportDisturbed
from services.city_node.customer_import.rejecting import KEY, RowFault
from services.city_node.customer_import.staging import Run, Staging, typed

# ruff: noqa: S608 - put together from the texts of this package; values are bound
_NUMBER = "subscription.msisdn"
_NAMED = ("line", "key", "msisdn")
_FAULTS = "SELECT line, target, reason FROM import_found WHERE reason IS NOT NULL ORDER BY line"
_LOCK = """
    SELECT count(*) FROM (
        SELECT FROM customer c WHERE c.id IN (SELECT f.customer_id FROM import_found f) ORDER BY c.id FOR NO KEY UPDATE
    ) locked"""
_MOVED = """
    SELECT count(*) FROM import_found f JOIN subscription s ON s.id = f.subscription_id WHERE s.customer_id <> f.customer_id"""
_COUNT = """
    SELECT count(*) FILTER (WHERE reason IS NOT NULL), count(*) FILTER (WHERE reason IS NULL AND NOT known),
           count(*) FILTER (WHERE reason IS NULL AND known AND NOT same) FROM import_found"""

Record = tuple[Any, ...]


class LineLoader:
    """Loads the records of one file."""

    portion = 40_000

    def __init__(self, run: Run) -> None:
        self._mapping = run.mapping
        self._record = LINE_RECORDS[run.mapping.records]
        self._columns = (*_NAMED, *self._record.columns)
        self._statements = _Statements(run.mapping, self._record, whole_node=run.whole_node)
        self._constants = constants(run.mapping.fillings)

    async def prepare(self, staging: Staging) -> None:
        """Make the temporary tables."""
        await staging.create((*self._statements.tables, CHARGE_TABLE))

    def build(self, columns: Columns, now: datetime) -> tuple[list[Record], list[RowFault]]:
        """Make rows; a row that names no line is at fault."""
        del now
        given = {
            self._record.targets.get(name, "msisdn"): values
            for name, values in columns.values.items()
        }
        same = {self._record.targets[name]: value for name, value in self._constants.items()}
        defaults: Mapping[str, object] = {**self._record.defaults, **same}
        number = len(columns.lines)
        whole = [
            columns.lines,
            columns.keys if columns.keys is not None else repeat(None, number),
            *(
                given[name] if name in given else repeat(defaults.get(name), number)
                for name in ("msisdn", *self._record.columns)
            ),
        ]
        rows = list(zip(*whole, strict=True))
        if "msisdn" not in given or None not in given["msisdn"]:
            return rows, []
        faults = [RowFault(row[0], _NUMBER, "is empty") for row in rows if row[2] is None]
        return [row for row in rows if row[2] is not None], faults

    async def load(self, staging: Staging, rows: Sequence[Record]) -> tuple[Loaded, list[RowFault]]:
        """Load records in as many waves as the most frequent natural key among them needs."""
        loaded, faults = Loaded(), list[RowFault]()
        for wave in self._waves(rows):
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

    def _waves(self, rows: Sequence[Record]) -> Iterator[Sequence[Record]]:
        """Divide rows so that none meets another with its natural key, or one that excludes it; in their order."""
        record = self._record
        places = [self._columns.index(name) for name in record.key]
        if record.owner == "subscription":
            places.insert(0, 2 if self._mapping.fills(_NUMBER) else 1)
        keys = [tuple([row[place] for place in places]) for row in rows]
        if len(set(keys)) == len(keys) and (
            record.alone is None
            or not {key[:-1] for key in keys if key[-1] == record.alone}
            & {key[:-1] for key in keys if key[-1] != record.alone}
        ):
            yield rows
            return
        turns = dict[tuple[Any, ...], tuple[int, set[Any]]]()
        waves: list[list[Record]] = [[]]
        for row, key in zip(rows, keys, strict=True):
            group, member = (key, None) if record.alone is None else (key[:-1], key[-1])
            turn, members = turns.get(group, (0, set()))
            if member in members or (members and record.alone in {member, *members}):
                turn, members = turn + 1, set()
            turns[group] = turn, members | {member}
            if turn == len(waves):
                waves.append([])
            waves[turn].append(row)
        yield from waves

    async def _load(
        self, staging: Staging, rows: Sequence[Record]
    ) -> tuple[Loaded, list[RowFault]]:
        sql = self._statements
        await staging.plan_anew()
        await staging.join(by_index=True)
        await staging.refill("import_record", self._columns, rows)
        await staging.run("TRUNCATE import_found")
        await staging.run(sql.resolve)
        ((wrong, new, differing),) = await staging.rows(_COUNT)
        faults = list[RowFault]()
        if wrong:
            faults = [RowFault(*found) for found in await staging.rows(_FAULTS)]
            await staging.run("DELETE FROM import_found WHERE reason IS NOT NULL")
        await staging.rows(_LOCK)
        if self._record.owner == "subscription" and (await staging.rows(_MOVED))[0][0]:
            raise ImportDisturbed(constraint="subscription")
        if differing:
            for statement in sql.correct:
                await staging.run(statement)
        if new:
            await staging.run(sql.insert)
        if self._mapping.records is Records.BILLS and (new or differing):
            await charge(staging)
        unchanged = len(rows) - len(faults) - new - differing
        return Loaded(created=new, changed=differing, unchanged=unchanged), faults


class _Statements:
    """The statements by which the records of one mapping are loaded."""

    def __init__(self, mapping: ImportMapping, record: LineRecord, *, whole_node: bool) -> None:
        self._mapping, self._record, self._whole_node = mapping, record, whole_node
        filled = {record.targets[name] for name in mapping.fillings if name in record.targets}
        self._values = [name for name in record.values if name in filled]
        staged = typed(record.columns)
        before = ", ".join(f"before_{name} {record.columns[name]}" for name in record.values)
        self.tables = (
            f"import_record (line bigint, key text, msisdn text, {staged})",
            (
                f"import_found (line bigint, customer_id uuid, subscription_id uuid, msisdn text, {staged}, {before}, "
                "known boolean, same boolean, target text, reason text)"
            ),
        )
        self.resolve = self._resolve()
        self.insert = self._insert()
        self.correct = self._correct()

    def _known(self, alias: str) -> str:
        """Return the condition that a record ``k`` is the one of a row."""
        if self._record.owner == "customer":
            own = "k.source = :source"
        else:
            own = f"k.subscription_id = {'s.id' if alias == 'r' else 'f.subscription_id'}"
        return " AND ".join([own, *(f"k.{name} = {alias}.{name}" for name in self._record.key)])

    def _owner(self) -> str:
        """Return the query that finds the line or customer of a row ``r``."""
        until = self._record.until
        if self._mapping.fills(_NUMBER):
            return f"""
                SELECT s.id, s.customer_id, s.msisdn, 1 AS lines FROM subscription s WHERE s.msisdn = r.msisdn AND s.entry_date < {until}
                ORDER BY s.entry_date DESC, s.ended_on DESC NULLS FIRST LIMIT 1"""
        if self._record.owner == "customer":
            return f"""
                SELECT CAST(NULL AS uuid) AS id, c.id AS customer_id, CAST(NULL AS text) AS msisdn, 1 AS lines
                FROM {BY_KEY} c"""
        return f"""
            SELECT CAST(min(CAST(l.id AS text)) AS uuid) AS id, c.id AS customer_id, min(l.msisdn) AS msisdn, count(l.id) AS lines
            FROM {BY_KEY} c LEFT JOIN subscription l
                ON l.customer_id = c.id AND l.entry_date < {until} AND (l.ended_on IS NULL OR l.ended_on >= r.period)
            GROUP BY c.id"""

    def _objections(self) -> Iterator[tuple[str, str, str]]:
        """Give what may be wrong with a row: the condition, the target and the reason."""
        record, by_number = self._record, self._mapping.fills(_NUMBER)
        named = _NUMBER if by_number else KEY
        nobody = (
            "is the number of no line that had begun by then"
            if by_number
            else "belongs to no customer"
        )
        yield "s.customer_id IS NULL", named, nobody
        if not self._whole_node:
            reached = """EXISTS (SELECT FROM customer c JOIN organisation_unit u ON u.code = c.unit_code
                WHERE c.id = s.customer_id AND starts_with(u.path, :scope))"""
            yield f"NOT {reached}", named, "belongs to a customer of another unit"
        yield f"s.customer_id IN ({NOT_LIVE})", named, ELSEWHERE
        if not by_number and record.owner == "subscription":
            yield "s.lines = 0", KEY, "belongs to a customer who had no line then"
            yield "s.lines > 1", KEY, "belongs to a customer with several lines: name the number"
        if by_number and self._mapping.key is not None:
            same = f"EXISTS (SELECT FROM {BY_KEY} c WHERE c.id = s.customer_id)"
            yield f"NOT {same}", KEY, "is another customer than the one with the line"
        first = next(name for name, column in record.targets.items() if column == record.values[0])
        if record.owner == "customer":
            another = "belongs to another customer"
            yield "k.customer_id <> s.customer_id", f"{record.table}.key", another
        yield f"k.import_number = :import_number AND NOT ({self._same()})", first, record.twice
        if record.excludes is not None:
            condition, reason = record.excludes
            last = next(name for name, column in record.targets.items() if column == record.key[-1])
            condition = condition.replace("r.subscription_id", "s.id")
            yield f"EXISTS (SELECT FROM {record.table} k WHERE {condition})", last, reason

    def _same(self) -> str:
        return (
            " AND ".join(f"k.{name} IS NOT DISTINCT FROM r.{name}" for name in self._values)
            or "true"
        )

    def _resolve(self) -> str:
        record = self._record
        objections = list(self._objections())
        targets = " ".join(
            f"WHEN {condition} THEN '{target}'" for condition, target, _ in objections
        )
        reasons = " ".join(
            f"WHEN {condition} THEN '{reason}'" for condition, _, reason in objections
        )
        present = f"k.{record.key[0]} IS NOT NULL"
        staged = ", ".join(f"r.{name}" for name in record.columns)
        before = ", ".join(f"k.{name}" for name in record.values)
        return f"""
            INSERT INTO import_found
            SELECT r.line, s.customer_id, s.id, s.msisdn, {staged}, {before}, {present}, {self._same()},
                   CASE {targets} END, CASE {reasons} END
            FROM import_record r LEFT JOIN LATERAL ({self._owner()}) s ON true
            LEFT JOIN {record.table} k ON {self._known("r")}"""

    def _insert(self) -> str:
        record = self._record
        names = ", ".join(record.columns)
        values = ", ".join(f"f.{name}" for name in record.columns)
        if record.owner == "customer":
            own, given = "id, source, customer_id", "gen_random_uuid(), :source, f.customer_id"
            order = "f.customer_id"
        else:
            own, given = "subscription_id, customer_id", "f.subscription_id, f.customer_id"
            order = "f.subscription_id"
        sequence = ", ".join([order, *(f"f.{name}" for name in record.key)])
        return f"""
            INSERT INTO {record.table} ({own}, {names}, import_number)
            SELECT {given}, {values}, :import_number FROM import_found f WHERE NOT f.known ORDER BY {sequence}"""

    def _correct(self) -> Sequence[str]:
        table = self._record.table
        # Usage has no id: its natural key names it.
        key = "concat_ws('/', k.subscription_id, k.period, k.kind, k.band)"
        key = key if table == "usage_month" else "k.id"
        differing = "f.known AND NOT f.same"
        source = f"import_found f JOIN {table} k ON {self._known('f')} CROSS JOIN LATERAL (SELECT f.customer_id) r WHERE {differing}"
        sets = ", ".join(f"{name} = f.{name}" for name in self._values)
        return (
            images(table, key, source),
            f"UPDATE {table} k SET {sets}, import_number = :import_number FROM import_found f WHERE {self._known('f')} AND {differing}",
        )
