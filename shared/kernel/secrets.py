"""Small secrets in files: made once, whole or not at all, readable by the node alone."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the content of ``path``, written from ``make()`` if it is not there.

    Safe when several workers start at once: the first to link its file wins and the others read it. The file is
    complete and on disk before it gets its name, and the name is before this returns.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another worker was first
            os.link(temporary, path)
        keep_names(path.parent)
    finally:
        Path(temporary).unlink()
    return path.read_bytes()


def keep_names(directory: Path) -> None:
    """Wait until the names that files have in ``directory`` are on disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
