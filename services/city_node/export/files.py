"""The files of exports, written from a stream of CSV with a fixed amount of memory.

CSV passes through. XLSX and Parquet are made in a thread, which reads the stream through a queue of a few chunks, so
that PostgreSQL, this process and the thread work beside one another and none runs ahead.
"""

import asyncio
import contextlib
import csv
import io
import queue
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from services.city_node.export.models import Format
from shared.kernel import tabular
from shared.kernel.tabular import BOM, Kind, Layout

CHUNKS_AHEAD = 16
ROWS_OF_A_GROUP = 16_384
BLOCK_BYTES = 512 * 1024
PAGE_BYTES = 128 * 1024
"""Each column of a group holds such pages until the group is written: small ones keep the memory small."""


class Taking(Protocol):
    """Where the rows go."""

    async def take(self, chunk: bytes) -> None:
        """Take some CSV, of whole rows or not."""


@contextlib.asynccontextmanager
async def open_file(
    path: Path, format_: Format, columns: Layout, *, with_bom: bool = False
) -> AsyncIterator[Taking]:
    """Write the file at ``path``; it is whole when the block has ended."""
    if format_ is Format.CSV:
        with path.open("wb") as file:
            yield PlainCsv(file, columns, with_bom=with_bom)
        return
    write = write_xlsx if format_ is Format.XLSX else write_parquet
    thread = _InThread(lambda stream: write(stream, path, columns))
    try:
        yield thread
        await thread.finish()
    finally:
        await thread.abandon()


class PlainCsv:
    """CSV as it comes, behind a header.

    Args:
        file: where to.
        columns: the header.
        with_bom: whether to begin with the mark by which Excel knows UTF-8.
    """

    def __init__(self, file: BinaryIO, columns: Layout, *, with_bom: bool) -> None:
        self._file = file
        file.write((BOM if with_bom else b"") + ",".join(columns).encode() + b"\n")

    async def take(self, chunk: bytes) -> None:
        """Write some rows."""
        self._file.write(chunk)


class _Abandoned(Exception):
    """The stream ends before its end."""


class _Stream(io.RawIOBase):
    """What the thread reads: the chunks of a queue as one file."""

    def __init__(self, on_taken: Callable[[], object]) -> None:
        self.chunks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.is_abandoned = False
        self._on_taken = on_taken
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and not self._ended:
            chunk = self.chunks.get()
            if self.is_abandoned:
                raise _Abandoned
            self._on_taken()
            self._ended = chunk is None
            self._rest = memoryview(chunk or b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class _InThread:
    """A writer that reads a file, in a thread of its own."""

    def __init__(self, consume: Callable[[BinaryIO], None]) -> None:
        loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(CHUNKS_AHEAD)
        self._stream = _Stream(lambda: loop.call_soon_threadsafe(self._room.release))
        self._done = loop.run_in_executor(
            None, consume, io.BufferedReader(self._stream, BLOCK_BYTES)
        )
        # A writer that fails takes no more chunks: whoever waits for room must learn of it.
        self._done.add_done_callback(lambda _: self._room.release())

    async def take(self, chunk: bytes) -> None:
        """Hand on some rows, once there is room."""
        await self._room.acquire()
        if self._done.done():
            self._done.result()
        self._stream.chunks.put(chunk)

    async def finish(self) -> None:
        """Wait until everything is written."""
        self._stream.chunks.put(None)
        await self._done

    async def abandon(self) -> None:
        """End the thread, if it has not ended."""
        self._stream.is_abandoned = True
        self._stream.chunks.put(None)
        await asyncio.gather(self._done, return_exceptions=True)


def write_xlsx(stream: BinaryIO, path: Path, columns: Layout) -> None:
    """Write a workbook row by row; texts stay texts, whatever they begin with."""
    import xlsxwriter  # noqa: PLC0415 - a large library, needed here alone

    # Its temporary files hold what the file holds: they lie beside it, and go with it.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as directory:
        book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": directory})
        csv.field_size_limit(2**31 - 1)
        rows = csv.reader(io.TextIOWrapper(stream, "utf-8", newline=""))
        tabular.write_sheets(book, columns, rows)
        book.close()


def write_parquet(stream: BinaryIO, path: Path, columns: Layout) -> None:
    """Write typed columns, a group of rows at a time."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import csv as arrow_csv  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    types = {
        Kind.TEXT: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.DATE: pa.date32(),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    with parquet.ParquetWriter(
        path,
        schema,
        compression="zstd",
        data_page_size=PAGE_BYTES,
        dictionary_pagesize_limit=PAGE_BYTES,
    ) as file:
        if not stream.peek(1):  # type: ignore[attr-defined]
            return  # the reader below refuses a file without a row
        batches = arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(
                column_names=list(columns), block_size=BLOCK_BYTES, use_threads=False
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        waiting: list[Any] = []
        for batch in batches:
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= ROWS_OF_A_GROUP:
                file.write_table(pa.Table.from_batches(waiting, schema))
                waiting.clear()
        if waiting:
            file.write_table(pa.Table.from_batches(waiting, schema))
            waiting.clear()
    pa.default_memory_pool().release_unused()
