"""The statements by which bills, usage and interactions are loaded: put together once for a mapping.

``import_record`` has a wave of records as the file has them, and ``import_found`` the same with the line or customer
that each belongs to, what is known of it, and what there is against it: the place of an objection.
"""

from collections.abc import Iterator, Sequence

from services.city_node.customer.ownership import NOT_LIVE
from services.city_node.customer_import.before import images
from services.city_node.customer_import.knowing import BY_KEY, ELSEWHERE
from services.city_node.customer_import.line_records import LineRecord
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.rejecting import KEY
from services.city_node.customer_import.staging import typed

# ruff: noqa: S608 - put together from the texts of this package; values are bound
NUMBER = "subscription.msisdn"


class LineStatements:
    """The statements by which the records of one mapping are loaded.

    Attributes:
        by_number: whether records name their line by its number.
        tables: the temporary tables that they work on.
        objections: the target and the reason of each thing that may be wrong with a record.
        resolve: finds out where the records belong, and what is known of them.
        insert: adds those that are new.
        correct: changes those that are known otherwise.
    """

    def __init__(self, mapping: ImportMapping, record: LineRecord, *, whole_node: bool) -> None:
        self._mapping, self._record, self._whole_node = mapping, record, whole_node
        self.by_number = mapping.fills(NUMBER)
        filled = {record.targets[name] for name in mapping.fillings if name in record.targets}
        self._values = [name for name in record.values if name in filled]
        staged = typed(record.columns)
        before = ", ".join(f"before_{name} {record.columns[name]}" for name in record.values)
        self.tables = (
            f"import_record (line bigint, key text, msisdn text, {staged})",
            (
                f"import_found (line bigint, customer_id uuid, subscription_id uuid, msisdn text, {staged}, {before}, "
                "known boolean, same boolean, objection int)"
            ),
        )
        objections = list(self._objections())
        self.objections = [(target, reason) for _, target, reason in objections]
        self.resolve = self._resolve([condition for condition, _, _ in objections])
        self.insert = self._insert()
        self.correct = self._correct()

    def _known(self, alias: str) -> str:
        """Return the condition that a record ``k`` is the one of a row."""
        if self._record.owner == "customer":
            own = "k.source = :source"
        else:
            own = f"k.subscription_id = {'s.id' if alias == 'r' else 'f.subscription_id'}"
        return " AND ".join([own, *(f"k.{name} = {alias}.{name}" for name in self._record.key)])

    def _found_by_number(self) -> tuple[str, str]:
        """Return the queries ``line`` and ``known``, and how rows ``r`` are joined with them.

        A number has few lines and many records, so each number is looked up once. ``OFFSET 0`` has it looked up by
        the index: what is joined afterwards is as small as the wave.
        """
        record, until = self._record, self._record.until
        by_line = record.owner == "subscription"
        months = ", min(period) AS first, max(period) AS last" if by_line else ""
        lines = f"""
            SELECT n.*, s.id, s.customer_id, s.entry_date,
                   lead(s.entry_date) OVER (PARTITION BY n.msisdn ORDER BY s.entry_date, s.ended_on) AS next_entry
            FROM (SELECT msisdn{months} FROM import_record GROUP BY msisdn) n
            CROSS JOIN LATERAL (SELECT * FROM subscription s WHERE s.msisdn = n.msisdn OFFSET 0) s"""
        if by_line:
            known = f"""
                SELECT k.* FROM line l CROSS JOIN LATERAL (
                    SELECT * FROM {record.table} k WHERE k.subscription_id = l.id AND k.period BETWEEN l.first AND l.last OFFSET 0) k"""
        else:
            known = f"""
                SELECT k.* FROM import_record r CROSS JOIN LATERAL (
                    SELECT * FROM {record.table} k WHERE {self._known("r")} OFFSET 0) k"""
        return (
            f"WITH line AS MATERIALIZED ({lines}), known AS MATERIALIZED ({known})",
            f"""
            LEFT JOIN line s ON s.msisdn = r.msisdn AND s.entry_date < {until} AND (s.next_entry IS NULL OR s.next_entry >= {until})
            LEFT JOIN known k ON {self._known("r")}""",
        )

    def _found_by_key(self) -> tuple[str, str]:
        """Return the same where the customer's key names the line."""
        if self._record.owner == "customer":
            owner = f"SELECT CAST(NULL AS uuid) AS id, c.id AS customer_id, CAST(NULL AS text) AS msisdn FROM {BY_KEY} c"
        else:
            owner = f"""
                SELECT CAST(min(CAST(l.id AS text)) AS uuid) AS id, c.id AS customer_id, min(l.msisdn) AS msisdn, count(l.id) AS lines
                FROM {BY_KEY} c LEFT JOIN subscription l
                    ON l.customer_id = c.id AND l.entry_date < {self._record.until} AND (l.ended_on IS NULL OR l.ended_on >= r.period)
                GROUP BY c.id"""
        return (
            "",
            f"""
            LEFT JOIN LATERAL ({owner}) s ON true
            LEFT JOIN {self._record.table} k ON {self._known("r")}""",
        )

    def _objections(self) -> Iterator[tuple[str, str, str]]:
        """Give what may be wrong with a row: the condition, the target and the reason."""
        record, by_number = self._record, self.by_number
        named = NUMBER if by_number else KEY
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

    def _resolve(self, objections: Sequence[str]) -> str:
        record = self._record
        cases = " ".join(f"WHEN {condition} THEN {nth}" for nth, condition in enumerate(objections))
        present = f"k.{record.key[0]} IS NOT NULL"
        staged = ", ".join(f"r.{name}" for name in record.columns)
        before = ", ".join(f"k.{name}" for name in record.values)
        queries, joins = self._found_by_number() if self.by_number else self._found_by_key()
        return f"""{queries}
            INSERT INTO import_found
            SELECT r.line, s.customer_id, s.id, s.msisdn, {staged}, {before}, {present}, {self._same()}, CASE {cases} END
            FROM import_record r {joins}"""

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
