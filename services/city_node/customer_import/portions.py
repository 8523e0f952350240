"""A file in portions, the next of which is read and converted while PostgreSQL works on the one before."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from services.city_node.customer_import.columns import Columns, Converter
from services.city_node.customer_import.loading import Loader
from services.city_node.customer_import.reading import RowFile
from services.city_node.customer_import.rejecting import RowFault
from shared.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows of the file, converted.

    Attributes:
        rows: what the loader takes.
        faults: why others of them are not loaded.
        cells: the texts of each row, by its line.
        position: where the file stands behind them, in bytes.
    """

    rows: Sequence[Any]
    faults: list[RowFault]
    cells: dict[int, Sequence[str]]
    position: int


class Reader:
    """Reads one file, a portion ahead if it is told when.

    Args:
        opened: the rows of the file.
        converter: makes values of them.
        loader: makes of these what it loads.
        file: the file, to tell how far it is read.
        clock: read once for each portion.
        size: rows in a portion, if not as many as the loader likes.
    """

    def __init__(  # noqa: PLR0917 - the parts of one run
        self,
        opened: RowFile,
        converter: Converter,
        loader: Loader,
        file: BinaryIO,
        clock: Clock,
        size: int | None,
    ) -> None:
        self._opened, self._converter, self._loader = opened, converter, loader
        self._file, self._clock, self._size = file, clock, size or loader.portion
        self._reading: asyncio.Future[Portion | None] | None = None

    async def skip(self, done: int) -> AsyncIterator[Columns]:
        """Give the columns of the first rows of the file, which are done."""
        while done:
            lines = await asyncio.to_thread(self._opened.read, min(done, self._size))
            done -= len(lines.rows)
            yield await asyncio.to_thread(self._converter.convert, lines)

    def go_on(self) -> None:
        """Begin to read the next portion, unless that was begun."""
        self._ahead()

    async def next(self) -> Portion | None:
        """Return the next portion; nothing at the end of the file.

        Raises:
            FileUnusable: where the file cannot be read.
        """
        portion = await self._ahead()
        self._reading = None
        return portion

    async def aclose(self) -> None:
        """Wait for the thread that reads, if one does."""
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    def _ahead(self) -> "asyncio.Future[Portion | None]":
        if self._reading is None:
            reading = asyncio.to_thread(self._read, self._clock.now())
            self._reading = asyncio.ensure_future(reading)
        return self._reading

    def _read(self, now: datetime) -> Portion | None:
        lines = self._opened.read(self._size)
        if not lines.rows:
            return None
        position = self._file.tell()
        columns = self._converter.convert(lines)
        rows, faults = self._loader.build(columns, now)
        cells = dict(zip(lines.numbers, lines.rows, strict=True))
        return Portion(rows, [*columns.faults, *faults], cells, position)
