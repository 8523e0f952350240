"""Waking whoever waits for something to send, without polling the database.

A commit that posts a message notifies :data:`CHANNEL` with ``<peer>/<lane>``; each worker's listener passes that on
here. A waiter watches *before* it looks, so that nothing posted between its look and its wait is missed.
"""

import asyncio
import contextlib
from collections.abc import Iterator

CHANNEL = "guanxi_outbox"


class Watch:
    """One waiter's view of the keys it watches."""

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


class Wakeup:
    """The waiters of one worker."""

    def __init__(self) -> None:
        self._watches: dict[Watch, str] = {}
        self.stopping = False

    @contextlib.contextmanager
    def watch(self, prefix: str) -> Iterator[Watch]:
        """Watch every key that begins with ``prefix``: ``"440300/"`` is all lanes of a peer, ``""`` everything."""
        watch = Watch()
        self._watches[watch] = prefix
        try:
            yield watch
        finally:
            del self._watches[watch]

    def wake(self, key: str) -> None:
        """Wake those who watch ``key``; with an empty key, which says that notifications may be lost, everybody."""
        for watch, prefix in self._watches.items():
            if not key or key.startswith(prefix):
                watch.set()

    def stop(self) -> None:
        """Let nobody wait any longer: the node is shutting down."""
        self.stopping = True
        self.wake("")
