"""What the demo must remember, so that it can be run again: kept in its home, readable by its owner alone."""

import os
import secrets
from datetime import date, timedelta
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.commandline import CommandFailed

FILE = "demo.json"
PASSWORD_BYTES = 12
FOUNDED_DAYS = 60


class Moved(BaseModel):
    """Where a customer has moved.

    Attributes:
        city: division code of the new city.
        on: the day.
    """

    model_config = ConfigDict(extra="forbid")

    city: str
    on: date


class Memory(BaseModel):
    """The demo's memory.

    Attributes:
        reference: the day of the first run, which the table's figures are of; kept, so that importing again changes
            nothing.
        ports: on which port each node listens, where that is not the one of the topology.
        passwords: of each node's accounts.
        asked: how often customers were sent to the counters; the next time it is others.
        moving: keys of customers whose transfer was asked, and of whom it is not known what became of it.
        moved: where customers have moved, by their keys.
    """

    model_config = ConfigDict(extra="forbid")

    reference: date
    ports: dict[str, int] = {}
    passwords: dict[str, str] = {}
    asked: int = 0
    moving: list[str] = []
    moved: dict[str, Moved] = {}

    @classmethod
    def of(cls, home: Path, *, today: date) -> Self:
        """Return what was remembered in ``home``, or a new memory that begins today.

        Raises:
            CommandFailed: if the file was damaged.
        """
        file = home / FILE
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return cls(reference=today)
        except ValidationError as error:
            raise CommandFailed(
                f"{file} cannot be read ({error.error_count()} faults). Begin anew: guanxi demo --fresh"
            ) from None

    def keep(self, home: Path) -> None:
        """Write it down; when this returns, it is on disk."""
        home.mkdir(parents=True, exist_ok=True)
        written = home / f"{FILE}.new"
        written.unlink(missing_ok=True)
        with os.fdopen(
            os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as handle:
            handle.write(self.model_dump_json(indent=2).encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        written.replace(home / FILE)

    def make_passwords(self, codes: list[str]) -> None:
        """Give each node a password that has none yet."""
        for code in codes:
            self.passwords.setdefault(code, secrets.token_urlsafe(PASSWORD_BYTES))

    @property
    def period(self) -> str:
        """The month that the figures are of."""
        return f"{self.reference:%Y-%m}"

    @property
    def period_end(self) -> date:
        """The first day after that month."""
        return (self.reference.replace(day=1) + timedelta(days=31)).replace(day=1)

    @property
    def founded(self) -> date:
        """Since when the cities are taken to belong to the nation: so far back there are days that they owe."""
        return self.reference - timedelta(days=FOUNDED_DAYS)

    @property
    def parameters(self) -> dict[str, date]:
        """What the mapping of the table wants to know: tenure ends and bills are of the month; some left on the day."""
        month = self.reference.replace(day=1)
        return {"reference": month, "billed": month, "left_on": self.reference}
