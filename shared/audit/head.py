"""The head of the chain, noted outside the database: who can rewrite all of the database cannot cut off its end unseen.

The file ``audit.head`` of the node's directory holds number and link of the newest seal. A seal that the file knows and
the database does not, or knows otherwise, was removed there, or the database is restored from a backup. The file then
stays as it is, for whoever has to find out which; it is put aside by hand.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

from shared.audit.problems import HeadInvalid

FILE = "audit.head"
_FORM = re.compile(r"(?P<number>[1-9][0-9]{0,17}):(?P<link>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """A seal, as it is noted elsewhere."""

    number: int
    link: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NUMBER:LINK``, the link in hexadecimal.

        Raises:
            HeadInvalid: if it is something else (422).
        """
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise HeadInvalid(given=text[:100])
        return cls(int(found["number"]), bytes.fromhex(found["link"]))

    def __str__(self) -> str:
        return f"{self.number}:{self.link.hex()}"


def noted(directory: Path) -> Head | None:
    """Return the head that was noted last, if any was."""
    try:
        return Head.parse((directory / FILE).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def note(directory: Path, newest: Head) -> None:
    """Note a new head."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Each writer has a file of its own: two may seal at the same moment.
    with NamedTemporaryFile(
        "w", encoding="ascii", dir=directory, prefix=f"{FILE}.", delete=False
    ) as file:
        file.write(f"{newest}\n")
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(directory / FILE)
