"""How far a node had got with its parent, kept beside its database, so that a restored database is known for one.

A database does not know that it was restored from a backup, and a node that served customers from it would do twice
what it has forgotten: give a card again that a customer carries home, end a request that is under way. So whoever dials
writes into the file ``lanes.json`` of the node's directory how far each lane of the parent's has got. A database that
knows less has gone back. Until it has caught up, by reconciling (:mod:`shared.federation.reconciliation`) and by
hearing again what its parent sends again, its node shows what it has and changes nothing; the doors are kept by
:mod:`shared.node.recalling`.

Without the file nobody can tell, and a node that has ever spoken with its parent meets it first. A restored node whose
parent is away for long is an operator's to judge (:meth:`HighWaterMark.trust`). Lanes that are stopped are an
operator's too, and hold nothing up.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

import structlog
from pydantic import BaseModel, ValidationError

from shared.federation.models import Direction, Lane
from shared.kernel.database import Database

log = structlog.get_logger("federation.high_water")

FILE = "lanes.json"
LOOK_SECONDS = 0.25

_STANDING = """
    SELECT p.code AS parent, l.lane, l.direction, l.numbered, l.acknowledged FROM federation_peer p
    JOIN federation_lane l ON l.peer = p.code
    WHERE p.relation = 'parent' AND l.stopped_because IS NULL"""

Levels = dict[Lane, int]


class Mark(BaseModel):
    """What the file says: numbers of messages, by lane."""

    parent: str
    sent: Levels = {}
    """Up to where the parent has acknowledged what this node sent."""
    received: Levels = {}
    """Up to where this node has received what the parent sent."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what was written last; ``None`` if nothing was, or nothing that can be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def write(self, path: Path) -> None:
        """Put this in the place of what was written before, whole or not at all.

        It need not survive a power failure: an older mark demands less, and none at all demands a meeting.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile("w", dir=path.parent, prefix=f".{FILE}.", delete=False) as file:
            file.write(self.model_dump_json())
        os.replace(file.name, path)  # noqa: PTH105 - on every exchange; a path would be made of the name first


class HighWaterMark:
    """One process's view of the mark: its dialler raises it, and everybody asks whether the database has reached it.

    Args:
        directory: the node's own.
        database: the node's.
    """

    def __init__(self, directory: Path, database: Database) -> None:
        self._path = directory / FILE
        self._database = database
        self._mark: Mark | None = None
        self._reached = False
        self._recalls = False

    async def reached(self) -> bool:
        """Tell whether the database knows all that the mark says; once it has, it does as long as the process lives."""
        if not self._reached:
            self._reached = await self._look()
            if self._reached and self._recalls:
                log.warning(
                    "recalled: the node knows again what it and its parent had told each other"
                )
            elif not self._reached and not self._recalls:
                self._recalls = True
                log.warning(
                    "restored from a backup, or nobody can tell: the node recalls, and changes nothing until it has"
                )
        return self._reached

    async def wait(self) -> None:
        """Return when the database has reached the mark."""
        while not await self.reached():  # noqa: ASYNC110 - another process may dial, or an operator decide
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> bool:
        pool = await self._database.pool()
        rows = await pool.fetch(_STANDING)
        if not rows:
            return True  # there is no parent yet
        mark = self._known(rows[0]["parent"])
        if mark is None:
            return not any(row["numbered"] for row in rows)
        return all(
            row["numbered"] >= _levels(mark, row["direction"]).get(Lane(row["lane"]), 0)
            for row in rows
        )

    def _known(self, parent: str) -> Mark | None:
        """Return what is written of this parent."""
        mark = Mark.read(self._path)
        return mark if mark is not None and mark.parent == parent else None

    def note(self, parent: str, direction: Direction, lane: Lane, number: int) -> None:
        """Raise the mark of a lane, at the end of an exchange."""
        mark = self._mark
        if mark is None or mark.parent != parent:
            mark = self._mark = self._known(parent) or Mark(parent=parent)
        levels = _levels(mark, direction)
        if number > levels.get(lane, 0):
            levels[lane] = number
            mark.write(self._path)

    async def settle(self, acknowledged: Mapping[Lane, int]) -> None:
        """Take the end of a meeting for the mark: what was sent is settled, and what was received the parent has said.

        Args:
            acknowledged: up to where the parent knows that this node had received; more than it knows, if it went back.
        """
        pool = await self._database.pool()
        mark: Mark | None = None
        for row in await pool.fetch(_STANDING):
            mark = mark or Mark(parent=row["parent"])
            lane = Lane(row["lane"])
            if row["direction"] == Direction.OUT:
                mark.sent[lane] = row["acknowledged"]
            else:
                mark.received[lane] = max(row["numbered"], acknowledged.get(lane, 0))
        if mark is not None:
            self._mark = mark
            mark.write(self._path)

    async def trust(self) -> None:
        """Take the database for the newest that there is: an operator answers for that."""
        await self.settle({})


def _levels(mark: Mark, direction: str) -> Levels:
    return mark.sent if direction == Direction.OUT else mark.received
