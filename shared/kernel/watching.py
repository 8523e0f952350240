"""Waiting for what a notification of the database tells of, without polling it.

A waiter watches *before* it looks, so that nothing which is committed between its look and its wait is missed.
"""

import asyncio
import contextlib
from collections.abc import Iterator


class Watch:
    """One waiter's view of what it watches."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the waiter."""
        self._event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until woken or until ``seconds`` have passed; tells which, and is ready to wait again."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Watchers:
    """Those of one process who wait for notifications on one channel, each for one key.

    Attributes:
        stopping: whether nobody shall wait any longer.
    """

    def __init__(self) -> None:
        self._watches: dict[Watch, str] = {}
        self.stopping = False

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._watches)

    @contextlib.contextmanager
    def watch(self, key: str) -> Iterator[Watch]:
        """Watch what is said of ``key``."""
        watch = Watch()
        self._watches[watch] = key
        try:
            yield watch
        finally:
            del self._watches[watch]

    def wake(self, key: str) -> None:
        """Wake those who watch ``key``; an empty key says that some word may be lost, and wakes everybody."""
        for watch, watched in self._watches.items():
            if not key or watched == key:
                watch.set()

    def stop(self) -> None:
        """Let nobody wait any longer: the process is ending."""
        self.stopping = True
        self.wake("")
