"""A CSV file, read as a stream: batches of rows and of faults, with a fixed amount of memory."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from services.city_node.customer_import.layout import Row
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.problems import FileUnusable
from services.city_node.customer_import.rows import RowBuilder, RowFault

BATCH = 5_000
_BUFFER = 1 << 18


@dataclass(slots=True)
class Batch:
    """What some lines of a file gave."""

    rows: list[Row] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    read: int = 0
    """Lines with data, good and bad."""


class _Measured(io.RawIOBase):
    """A file that knows how much of it was read, and the digest of that."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.digest.update(data)
        self.bytes += len(data)
        return len(data)


class CsvFile:
    """A CSV file as a mapping describes it (RFC 4180), read once from its beginning.

    Raises:
        FileUnusable: if it is empty, or lacks a column that the mapping names.
    """

    def __init__(self, file: BinaryIO, name: str, mapping: ImportMapping) -> None:
        self.name = name
        self._mapping = mapping
        self._measured = _Measured(file)
        buffered = io.BufferedReader(self._measured, _BUFFER)
        text = io.TextIOWrapper(buffered, mapping.encoding, newline="")
        self._reader = csv.reader(text, delimiter=mapping.delimiter, strict=True)
        self.header = self._read_header()

    @property
    def bytes(self) -> int:
        """How much of the file was read."""
        return self._measured.bytes

    @property
    def sha256(self) -> str:
        """Digest of what was read."""
        return self._measured.digest.hexdigest()

    def batches(self, builder: RowBuilder, size: int = BATCH) -> Iterator[Batch]:
        """Read the lines after the header.

        Raises:
            FileUnusable: where the file is not in its encoding, or no CSV.
        """
        batch = Batch()
        for line, cells in self._lines():
            batch.read += 1
            made = builder.build(line, cells)
            if made and isinstance(made[0], RowFault):
                batch.faults += made
            else:
                batch.rows.append(made)
            if batch.read == size:
                yield batch
                batch = Batch()
        if batch.read:
            yield batch

    def _lines(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Give each line that is not blank, with the number of its first line in the file."""
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except UnicodeDecodeError:
                raise self._unusable(
                    line,
                    f"what follows is not {self._mapping.encoding}; give the file's encoding in [source].",
                ) from None
            except csv.Error as error:
                raise self._unusable(line, f"this is not CSV ({error}).") from None
            if cells:
                yield line, cells

    def _read_header(self) -> list[str]:
        first = next(self._lines(), None)
        if first is None:
            raise self._unusable(1, "the file is empty; it needs a header line.")
        header = [name.strip() for name in first[1]]
        used = [
            self._mapping.key,
            *(filling.column for filling in self._mapping.fillings.values() if filling.column),
        ]
        missing = [name for name in dict.fromkeys(used) if name not in header]
        if missing:
            raise self._unusable(
                first[0],
                f"the header has no column {', '.join(missing)}; it has: {', '.join(header)[:500]}.",
            )
        double = [name for name in dict.fromkeys(used) if header.count(name) > 1]
        if double:
            raise self._unusable(
                first[0], f"the header has column {', '.join(double)} more than once."
            )
        return header

    def _unusable(self, line: int, reason: str) -> FileUnusable:
        return FileUnusable(self.name, line, reason)
