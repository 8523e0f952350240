"""The columns of the lake's files, and how rows become a file with a fixed amount of memory."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from shared.kernel.database import Base
from shared.statistics.aggregation import Aggregation
from shared.statistics.catalogue import Catalogue

ROWS_AT_ONCE = 4_096
ROWS_OF_A_GROUP = 65_536

Types = Mapping[str, str]
"""The columns of a file in their order, each with its type as Arrow calls it."""

SLICE_COLUMNS: Types = {
    "city": "string",
    "province": "string",
    "first_day": "date32",
    "revision": "int64",
    "row_count": "int64",
    "hash": "string",
    "reason": "string",
    "computed_at": "timestamp",
    "received_at": "timestamp",
}
_OF_A_ROW: Types = {
    "city": "string",
    "province": "string",
    "first_day": "date32",
    "revision": "int64",
}
REGION_COLUMNS: Types = dict.fromkeys(
    ("code", "level", "parent", "name_zh", "name_en", "province", "province_zh", "province_en"),
    "string",
)
_BY_PYTHON = {"str": "string", "int": "int64", "bool": "bool", "date": "date32", "list": "strings"}


@dataclass(frozen=True, slots=True)
class Measured:
    """A column of a measure."""

    code: str
    adds_up: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a dataset's files: where and when, its dimensions, its measures.

    Attributes:
        dataset: its code.
        dimensions: those of its cells.
        coarser: those that follow from one of these: its code, and to which member each of the finer one belongs.
        measures: in the order of the catalogue, without sketches, which are no facts.
    """

    dataset: str
    dimensions: tuple[str, ...]
    coarser: Mapping[str, tuple[str, Mapping[str, str]]]
    measures: tuple[Measured, ...]

    @classmethod
    def of(cls, catalogue: Catalogue, dataset: str) -> "Layout":
        """Return the columns that the catalogue gives a dataset."""
        own = catalogue.datasets[dataset].dimensions
        return cls(
            dataset,
            own,
            {
                each.code: (each.of, each.parents)
                for each in catalogue.dimensions_of(dataset)
                if each.of is not None
            },
            tuple(
                Measured(each.code, isinstance(how, Aggregation) and how.adds_up)
                for each in catalogue.measures_of(dataset)
                for how in (each.aggregation,)
                if not each.is_sketch
            ),
        )

    @property
    def columns(self) -> Types:
        """The columns of a file of facts."""
        texts = dict.fromkeys((*self.dimensions, *self.coarser), "string")
        return {**_OF_A_ROW, **texts, **dict.fromkeys((x.code for x in self.measures), "int64")}

    @property
    def digest(self) -> str:
        """Changes when, and only when, the files would be others though the slices were the same."""
        content = [list(self.columns.items()), SLICE_COLUMNS, self.coarser]
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def whole(self, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Return the columns of rows that have all but the coarser dimensions."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        before = len(_OF_A_ROW)
        at = {code: before + nth for nth, code in enumerate(self.dimensions)}
        coarser = [
            [parents.get(value) for value in columns[at[finer]]]
            for finer, parents in self.coarser.values()
        ]
        measures = before + len(self.dimensions)
        return [*columns[:measures], *coarser, *columns[measures:]]


def columns_of(table: type[Base]) -> Types:
    """Return the columns of a file that holds what a table of the reference holds."""
    return {
        column.name: _BY_PYTHON[column.type.python_type.__name__]
        for column in table.__table__.columns
    }


def schema_of(columns: Types) -> Any:
    """Return the Arrow schema of columns. No type is unsigned, of 96 bits or nested: every reader knows them."""
    import pyarrow as pa  # noqa: PLC0415 - a large library, needed here alone

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
        "date32": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "strings": pa.list_(pa.string()),
    }
    return pa.schema([(name, types[type_]) for name, type_ in columns.items()])


class ParquetFile:
    """A file that rows are added to, some at a time; it is whole when it is closed."""

    def __init__(self, path: Path, columns: Types) -> None:
        from pyarrow import parquet  # noqa: PLC0415 - as above

        self.rows = 0
        self._schema = schema_of(columns)
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        """Add rows, given as columns."""
        import pyarrow as pa  # noqa: PLC0415 - as above

        arrays = [
            pa.array(values, field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._waiting.append(pa.record_batch(arrays, schema=self._schema))
        if sum(batch.num_rows for batch in self._waiting) >= ROWS_OF_A_GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - as above

        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table)
            self.rows += table.num_rows
            self._waiting.clear()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        import pyarrow as pa  # noqa: PLC0415 - as above

        self._write()
        self._writer.close()
        pa.default_memory_pool().release_unused()
