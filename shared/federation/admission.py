"""How many batches a parent works on at once: those of figures and mass data give way to everything else.

A batch of ``rollup`` or ``bulk`` beyond the limit is refused with 503 and told when to come again, before it is read:
its child keeps it, and its requests, which are not limited, find the database free. Each answer to a batch
says in the RateLimit fields how many more would be taken now (draft-ietf-httpapi-ratelimit-headers).
"""

import contextlib
import random
from collections.abc import Iterator

from shared.federation.models import Lane
from shared.federation.problems import NodeBusy

LIMITED = frozenset({Lane.ROLLUP, Lane.BULK})
SHORTEST_PAUSE, LONGEST_PAUSE = 1, 4
"""Seconds after which one that was refused may come again; drawn anew for each, so that they do not come together."""


class Admission:
    """The batches of one worker.

    Args:
        at_once: how many of the limited lanes are taken at once.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._under_way = 0

    @property
    def headers(self) -> dict[str, str]:
        """The RateLimit fields as they are now."""
        left = max(self._at_once - self._under_way, 0)
        return {
            "RateLimit-Policy": f'"batches";q={self._at_once};w=1',
            "RateLimit": f'"batches";r={left};t=1',
        }

    @contextlib.contextmanager
    def admit(self, lane: Lane) -> Iterator[None]:
        """Work on a batch of ``lane``.

        Raises:
            NodeBusy: if there are enough of them already (503).
        """
        if lane not in LIMITED:
            yield
            return
        if self._under_way >= self._at_once:
            pause = random.randint(SHORTEST_PAUSE, LONGEST_PAUSE)  # noqa: S311 - jitter is no secret
            raise NodeBusy(
                at_once=self._at_once,
                lane=lane.value,
                headers={**self.headers, "Retry-After": str(pause)},
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
