"""What a simulator has done, on disk before it is answered."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect.

    Attributes:
        key: the call's idempotency key.
        operation: what was done.
        content: what was asked.
        answer: what was answered.
    """

    key: str
    operation: str
    content: dict[str, Any]
    answer: dict[str, Any]


class Journal:
    """A file of one line for each effect, in the order in which they happened.

    Args:
        file: where it is; without it, it is kept in memory alone.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._entries: list[Entry] = []
        self._handle: int | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._read(file)

    def _read(self, file: Path) -> None:
        whole = 0
        for line in file.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break  # killed while it was written: nothing was answered
            self._entries.append(Entry(**orjson.loads(line)))
            whole += len(line)
        if self._handle is not None:
            os.ftruncate(self._handle, whole)

    def __iter__(self) -> Iterator[Entry]:
        """Give the effects, the first one first."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return how many effects there are."""
        return len(self._entries)

    def write(self, entry: Entry) -> None:
        """Add an effect; when this returns, it outlives the process."""
        if self._handle is not None:
            line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
            os.write(self._handle, line)
        self._entries.append(entry)

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
