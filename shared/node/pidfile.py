"""Which process runs a node: at most one at a time on a machine, and everybody can tell which.

A running node holds a lock on ``node.pid`` in its directory and has its process id written there. The kernel takes
the lock back when the process dies, however it dies, so a number that is left in the file means nothing without it.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from shared.commandline import CommandFailed

NAME = "node.pid"


class AlreadyRunning(CommandFailed):
    """Another process runs what was to be started; the message names it."""


@contextlib.contextmanager
def held(file: Path, what: str) -> Iterator[None]:
    """Be the one process that runs ``what``, for as long as the context is open.

    Args:
        file: where the process id is kept, in a directory that is there.
        what: how to call it to people, such as ``Node 440300``.

    Raises:
        AlreadyRunning: if another process is.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read_text().strip() or "unknown"
            raise AlreadyRunning(
                f"{what} is running already, as process {holder}. Stop that first: kill {holder}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(file: Path) -> int | None:
    """Return the id of the process that holds ``file``, or ``None`` if none does."""
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = file.read_text().strip()
        return int(written) if written.isdigit() else None
    else:
        return None
    finally:
        os.close(descriptor)


def is_open_in(file: Path, process: int) -> bool:
    """Tell whether ``process`` has ``file`` open: the number in it is then no other process's that came later.

    Where the system does not show this (there is no ``/proc``), the answer is no.
    """
    try:
        present = file.stat()
        descriptors = list(Path("/proc", str(process), "fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            opened = descriptor.stat()
            if (opened.st_dev, opened.st_ino) == (present.st_dev, present.st_ino):
                return True
    return False
