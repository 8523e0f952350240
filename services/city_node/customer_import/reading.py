"""A file, read as a stream with a fixed amount of memory: rows of texts, whatever its form.

The form is told by the file's first bytes: Parquet, CSV compressed by gzip or Zstandard, or plain CSV. A value of a
Parquet file is read as the text that a CSV would have for it, so that one mapping reads both.
"""

import codecs
import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Protocol

from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.problems import FileUnusable

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 10_000
"""Rows of a Parquet file that are decoded together."""
REJECTED = ("rejected_line", "rejected_column", "rejected_value", "rejected_reason")
"""Columns that a file of rejected rows has beside those of the file itself."""
_BUFFER = 1 << 18
_LONGEST_LINE = 1 << 20
_BREAK = re.compile(r"\r\n|\r|\n")
_GZIP, _ZSTANDARD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"


@dataclass(frozen=True, slots=True)
class Lines:
    """Some rows of a file, and on which line each begins."""

    numbers: Sequence[int]
    rows: Sequence[Sequence[str]]


class RowFile(Protocol):
    """A file of rows."""

    header: list[str]

    def read(self, most: int) -> Lines:
        """Return the next rows, none at the end.

        Raises:
            FileUnusable: where the file cannot be read.
        """
        ...


class _StreamBroken(Exception):
    """A compressed file ends too early, or is none."""


def digest(file: BinaryIO) -> str:
    """Return the SHA-256 of a file, and go back to its beginning."""
    file.seek(0)
    found = hashlib.sha256()
    while data := file.read(_BUFFER):
        found.update(data)
    file.seek(0)
    return found.hexdigest()


def open_rows(file: BinaryIO, name: str, mapping: ImportMapping) -> RowFile:
    """Open a file as what its first bytes say it is.

    Raises:
        FileUnusable: if it is empty or broken, or lacks a column that the mapping names.
    """
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    opened: RowFile
    if head == _PARQUET:
        opened = _ParquetRows(file, name)
    elif head.startswith(_GZIP):
        opened = _CsvRows(_Decompressed(gzip.GzipFile(fileobj=file, mode="rb")), name, mapping)
    elif head == _ZSTANDARD:
        opened = _CsvRows(_Decompressed(_zstandard(file)), name, mapping)
    else:
        opened = _CsvRows(file, name, mapping)
    _require(opened.header, name, mapping)
    return opened


def _require(header: Sequence[str], name: str, mapping: ImportMapping) -> None:
    missing = [column for column in mapping.columns if column not in header]
    if missing:
        has = ", ".join(header)[:500]
        raise FileUnusable(
            name, 1, f"the header has no column {', '.join(missing)}; it has: {has}."
        )
    double = [column for column in mapping.columns if header.count(column) > 1]
    if double:
        raise FileUnusable(name, 1, f"the header has column {', '.join(double)} more than once.")


def _zstandard(file: BinaryIO) -> BinaryIO:
    import pyarrow as pa  # noqa: PLC0415 - a node at rest does without its 40 MB

    stream: BinaryIO = pa.CompressedInputStream(pa.PythonFile(_Plain(file), "r"), "zstd")
    return stream


class _Decompressed(io.RawIOBase):
    """What a compressed stream holds, with one kind of error for all that may be wrong with it."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise _StreamBroken(str(error)) from error
        buffer[: len(data)] = data
        return len(data)


class _CsvRows:
    """A CSV file as a mapping describes it (RFC 4180)."""

    def __init__(self, file: BinaryIO | io.RawIOBase, name: str, mapping: ImportMapping) -> None:
        self._name = name
        self._encoding = codecs.lookup(mapping.encoding).name.removesuffix("-sig")
        raw = file if isinstance(file, io.RawIOBase) else _Plain(file)
        buffered = io.BufferedReader(raw, _BUFFER)
        text = io.TextIOWrapper(buffered, mapping.encoding, newline="")
        # A line that never ends would not fit into memory: it is cut, and its pieces are no rows of this file.
        lines = iter(partial(text.readline, _LONGEST_LINE), "")
        self._reader = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
        self._failure: FileUnusable | None = None
        self.header: list[str] = []
        first = self.read(1)
        if not first.rows:
            raise FileUnusable(name, 1, "the file is empty; it needs a header line.")
        self.header = [cell.strip() for cell in first.rows[0]]
        self._quoted = REJECTED[-1] in self.header

    def read(self, most: int) -> Lines:
        """Return the next rows that are not blank; what came before a broken place is returned first."""
        while True:
            before = self._reader.line_num
            found = self._read(most)
            if found.rows or self._reader.line_num == before:
                return found

    def _read(self, most: int) -> Lines:
        if self._failure is not None:
            raise self._failure
        before, rows = self._reader.line_num, list[list[str]]()
        try:
            rows.extend(islice(self._reader, most))
        except (UnicodeDecodeError, csv.Error, _StreamBroken) as error:
            self._failure = self._unusable(before + 1 + len(rows), error)
            if not rows:
                raise self._failure from None
        numbers: Sequence[int] = range(before + 1, before + 1 + len(rows))
        if self._reader.line_num - before != len(rows) or [] in rows:
            numbers, rows = self._numbered(before + 1, rows)
        if self.header and self._quoted:
            rows = [[cell[1:] if cell[:1] == "'" else cell for cell in row] for row in rows]
        return Lines(numbers, rows)

    @staticmethod
    def _numbered(line: int, rows: list[list[str]]) -> tuple[list[int], list[list[str]]]:
        """Return where each row begins, counting line breaks inside of cells, without the blank ones."""
        numbers, kept = [], []
        for row in rows:
            if row:
                numbers.append(line)
                kept.append(row)
            line += 1 + sum(
                len(_BREAK.findall(cell)) for cell in row if "\n" in cell or "\r" in cell
            )
        return numbers, kept

    def _unusable(self, line: int, error: Exception) -> FileUnusable:
        if isinstance(error, UnicodeDecodeError):
            return FileUnusable(
                self._name,
                line,
                f"what follows is not {self._encoding}; give the file's encoding in [source].",
            )
        if isinstance(error, _StreamBroken):
            return FileUnusable(
                self._name, line, f"the compressed file breaks off or is damaged ({error})."
            )
        return FileUnusable(self._name, line, f"this is not CSV ({error}).")


class _Plain(io.RawIOBase):
    """A file that stays open when what reads it is gone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _ParquetRows:
    """The flat columns of a Parquet file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        import pyarrow as pa  # noqa: PLC0415 - as above
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above

        self._name, self._text, self._broken = (
            name,
            pa.string(),
            (pa.ArrowException, OSError),
        )
        self._line = 2
        self._left = Lines((), ())
        try:
            opened = pq.ParquetFile(pa.PythonFile(_Plain(file), "r"))
            nested = pa.types.is_nested
            self.header = [each.name for each in opened.schema_arrow if not nested(each.type)]
            self._batches: Iterator[pa.RecordBatch] = opened.iter_batches(
                _BATCH, columns=self.header
            )
        except self._broken as error:
            raise FileUnusable(name, 1, f"this is not Parquet ({error}).") from None

    def read(self, most: int) -> Lines:
        """Return the next rows; a record batch may give several portions."""
        if not self._left.rows:
            self._left = self._next()
        numbers, rows = self._left.numbers, self._left.rows
        self._left = Lines(numbers[most:], rows[most:])
        return Lines(numbers[:most], rows[:most])

    def _next(self) -> Lines:
        try:
            batch = next(self._batches, None)
            if batch is None:
                return Lines((), ())
            columns = [self._texts(column) for column in batch.columns]
        except self._broken as error:
            raise FileUnusable(
                self._name, self._line, f"the Parquet file is damaged ({error})."
            ) from None
        except UnicodeDecodeError:
            raise FileUnusable(self._name, self._line, "a text is not UTF-8.") from None
        begin, self._line = self._line, self._line + batch.num_rows
        return Lines(range(begin, self._line), list(zip(*columns, strict=True)))

    def _texts(self, column: "pa.Array") -> list[str]:
        texts: list[str] = column.cast(self._text).fill_null("").to_pylist()
        return texts
