"""An answer as one flat table: a row for each of its rows, a column for each figure; and as the files that hold it.

The columns are ``period``, ``region_code``, ``region_name``, one for each dimension, ``others`` if rows were put
together, and then one for each indicator, or for each indicator and value of what goes across: ``customers.gold``.
Where small cells are withheld, ``withheld`` before these names those that are withheld in a row. Their names are codes.
What the figures are made of goes with them: into sheets of a workbook, into the schema of Parquet and Arrow; CSV has no
place for it, and the answer in JSON has it whole.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from shared.kernel.tabular import BOM, Kind, Layout, harmless, write_sheets
from shared.statistics.aggregation import Aggregation, Difference, Quantile
from shared.statistics.catalogue import MovingSum, Rank
from shared.statistics.forms import Form
from shared.statistics.question import BY_REGION, Question
from shared.statistics.shaping import WITHHELD

Document = Mapping[str, Any]
"""An answer as JSON has it."""

_KEYS: Layout = {"period": Kind.TEXT, "region_code": Kind.TEXT, "region_name": Kind.TEXT}
_RULE: Layout = {
    "withheld_cells": Kind.INTEGER,
    "least_people": Kind.INTEGER,
    "policy": Kind.TEXT,
}
_SHEETS: Mapping[str, Layout] = {
    "provenance": {
        **dict.fromkeys(("dataset", "period", "node"), Kind.TEXT),
        "revision": Kind.INTEGER,
        **dict.fromkeys(("hash", "computed_at", "received_at"), Kind.TEXT),
    },
    "indicators": dict.fromkeys(
        ("code", "name", "unit", "aggregation", "snapshot_period"), Kind.TEXT
    ),
}


@dataclass(frozen=True, slots=True)
class Table:
    """The flat form of an answer.

    Attributes:
        columns: names and types, in order.
        rows: values, in the order of the columns.
        document: the whole answer.
    """

    columns: Layout
    rows: list[tuple[Any, ...]]
    document: Document

    def texts(self, make: Callable[[str], str] = str) -> Iterator[list[str]]:
        """Give the rows as texts; ``make`` is applied to those that are no numbers."""
        for row in self.rows:
            yield ["" if x is None else make(x) if isinstance(x, str) else str(x) for x in row]


def flattened(question: Question, document: Document) -> Table:
    """Make the flat form of an answer to a question."""
    dimensions = [x.code for x in question.dimensions if x.code != question.analysis.pivot]
    across = [each["code"] for each in document.get("columns", ())]
    kinds = {
        each.code: Kind.INTEGER if _is_whole(each.aggregation) else Kind.NUMBER
        for each in question.told
    }
    has_others = question.analysis.top is not None
    withholds = any(WITHHELD in each for each in document["provenance"])
    columns = {
        **_KEYS,
        **dict.fromkeys(dimensions, Kind.TEXT),
        **({"others": Kind.INTEGER} if has_others else {}),
        **({WITHHELD: Kind.TEXT} if withholds else {}),
        **(
            {f"{code}.{column}": kind for code, kind in kinds.items() for column in across}
            if question.analysis.pivot
            else kinds
        ),
    }
    rows = []
    for row in document["rows"]:
        values = row["values"]
        figures = (
            (values[code][column] for code in kinds for column in across)
            if question.analysis.pivot
            else (values[code] for code in kinds)
        )
        keys = (row["period"], row[BY_REGION]["code"], row[BY_REGION]["name"])
        others = (row.get("others"),) if has_others else ()
        hidden = (" ".join(hidden_columns(row)),) if withholds else ()
        rows.append((*keys, *(row[each] for each in dimensions), *others, *hidden, *figures))
    return Table(columns, rows, document)


def hidden_columns(row: Mapping[str, Any]) -> list[str]:
    """Return the columns that are withheld in a row of an answer."""
    hidden = row.get(WITHHELD, ())
    if isinstance(hidden, Mapping):
        return [f"{code}.{column}" for code, columns in hidden.items() for column in columns]
    return list(hidden)


def write(table: Table, form: Form, file: BinaryIO, *, with_bom: bool = False) -> None:
    """Write a table in one of the forms of files."""
    match form:
        case Form.CSV:
            _write_csv(table, file, with_bom=with_bom)
        case Form.XLSX:
            _write_xlsx(table, file)
        case Form.PARQUET | Form.ARROW:
            _write_arrow(table, form, file)
        case Form.JSON:
            file.write(orjson.dumps(table.document))


def _is_whole(how: object) -> bool:
    """Tell whether an indicator's figures are whole numbers."""
    return isinstance(how, (Aggregation, *_WHOLE))


_WHOLE = (Difference, MovingSum, Quantile, Rank)


def _write_csv(table: Table, file: BinaryIO, *, with_bom: bool) -> None:
    file.write(BOM if with_bom else b"")
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.texts(harmless))
    text.detach()


def _write_xlsx(table: Table, file: BinaryIO) -> None:
    import xlsxwriter  # noqa: PLC0415 - a large library, needed here alone

    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    write_sheets(book, table.columns, table.texts(), name="values")
    sheets: dict[str, Iterable[Mapping[str, Any]]] = {
        "provenance": _made_of(table.document),
        "indicators": table.document["indicators"],
    }
    for name, rows in sheets.items():
        layout = _SHEETS[name]
        if name == "provenance" and WITHHELD in table.columns:
            layout = {**layout, **_RULE}
        write_sheets(book, layout, (_texts(row, layout) for row in rows), name=name)
    book.close()


def _made_of(document: Document) -> Iterator[Mapping[str, Any]]:
    """Give the slices of an answer, and the cities that are missing without one."""
    for each in document["provenance"]:
        about = {"dataset": each["dataset"], "period": each["period"]}
        if WITHHELD in each:
            told = each[WITHHELD]
            about |= dict(
                zip(_RULE, (told["cells"], told["least_people"], told["policy"]), strict=True)
            )
        for city in each.get("cities", ()):
            yield {**about, **city}
        for missing in each["missing"]:
            yield {**about, "node": missing, "hash": "missing"}


def _texts(row: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    return ["" if row.get(name) is None else str(row[name]) for name in columns]


def _write_arrow(table: Table, form: Form, file: BinaryIO) -> None:
    import pyarrow as pa  # noqa: PLC0415 - as above

    types = {Kind.TEXT: pa.string(), Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float64()}
    metadata = {
        f"guanxi.{name}": orjson.dumps(table.document[name])
        for name in ("indicators", "provenance")
    }
    fields = [(name, types[kind]) for name, kind in table.columns.items()]
    schema = pa.schema(fields, metadata=metadata)
    columns: Sequence[Sequence[Any]] = list(zip(*table.rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(x, type_) for x, (_, type_) in zip(columns, fields, strict=True)]
    whole = pa.Table.from_arrays(arrays, schema=schema)
    if form is Form.ARROW:
        with pa.ipc.new_stream(file, schema) as stream:
            stream.write_table(whole)
        return
    from pyarrow import parquet  # noqa: PLC0415 - as above

    parquet.write_table(whole, file, compression="zstd")
