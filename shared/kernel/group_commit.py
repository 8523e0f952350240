"""Group commit: what many callers each need on disk before they go on is written together.

A commit costs a wait for the disk, whatever it holds. So rows that come while one batch is being written wait, and are
the next batch: the more callers there are, the fewer commits each of them costs. There is no delay to tune. A caller
alone is written at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")
MOST_ROWS = 1000
"""Rows in one batch."""


class GroupCommit(Generic[Row]):
    """Writes rows of many callers, a batch at a time.

    Args:
        write: writes some rows and returns once they are durable; writes all of them or fails.
        is_away: tells of an error of ``write`` whether it says nothing against the rows themselves.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Row]], Awaitable[None]],
        is_away: Callable[[BaseException], bool],
    ) -> None:
        self._write = write
        self._is_away = is_away
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, row: Row) -> None:
        """Return once ``row`` is durable.

        A caller that gives up waiting does not take its row back: it may be written all the same.

        Raises:
            Exception: what the write failed with; whether the row is there is then unknown.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await done

    async def close(self) -> None:
        """Write what waits."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_ROWS], self._waiting[MOST_ROWS:]
                await self._write_batch(batch)
        finally:
            self._writing = None
            for (
                _,
                done,
            ) in self._waiting:  # left only when this task is cancelled, at the node's end
                done.cancel()
            self._waiting = []

    async def _write_batch(self, batch: Sequence[tuple[Row, "asyncio.Future[None]"]]) -> None:
        try:
            await self._write([row for row, _ in batch])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            if len(batch) > 1 and not self._is_away(error):
                # One row that cannot be written must not fail the others.
                for each in batch:
                    await self._write_batch([each])
                return
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
        else:
            for _, done in batch:
                if not done.done():
                    done.set_result(None)
