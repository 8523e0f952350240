"""Waking whoever waits for something to send, without polling the database.

A commit that posts a message notifies :data:`CHANNEL` with ``<peer>/<lane>``; each worker's listener passes that on
here. A waiter watches *before* it looks, so that nothing posted between its look and its wait is missed.
"""

import contextlib
from collections.abc import Iterator

from shared.kernel.watching import Watch

CHANNEL = "guanxi_outbox"


class Wakeup:
    """The waiters of one worker."""

    def __init__(self) -> None:
        self._watches: dict[Watch, tuple[str, str]] = {}
        self.stopping = False

    @contextlib.contextmanager
    def watch(self, *, peer: str = "", lane: str = "") -> Iterator[Watch]:
        """Watch what is posted to one peer, on one lane, or everything."""
        watch = Watch()
        self._watches[watch] = peer, lane
        try:
            yield watch
        finally:
            del self._watches[watch]

    def narrow(self, watch: Watch, *, peer: str, lane: str = "") -> None:
        """Wake a waiter from now on only for what is posted to this peer, on this lane."""
        self._watches[watch] = peer, lane

    def wake(self, key: str) -> None:
        """Wake those who watch ``<peer>/<lane>``; an empty key says that some may be lost, and wakes everybody."""
        posted_to, _, posted_on = key.partition("/")
        for watch, (peer, lane) in self._watches.items():
            if not key or (peer in {"", posted_to} and lane in {"", posted_on}):
                watch.set()

    def stop(self) -> None:
        """Let nobody wait any longer: the node is shutting down."""
        self.stopping = True
        self.wake("")
