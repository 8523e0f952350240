"""Files that the node keeps while it loads them: in its own directory, and readable to nobody else."""

import asyncio
import shutil
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from shared.kernel.settings import Settings


def path_of(settings: Settings, import_id: UUID) -> Path:
    """Return where the file of an import is kept."""
    return settings.directory / "imports" / str(import_id)


async def store(settings: Settings, import_id: UUID, file: BinaryIO) -> Path:
    """Keep a copy of ``file``."""
    path = path_of(settings, import_id)
    await asyncio.to_thread(_copy, file, path)
    return path


def _copy(file: BinaryIO, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.seek(0)
    path.touch(mode=0o600)
    with path.open("wb") as kept:
        shutil.copyfileobj(file, kept)


def discard(settings: Settings, import_id: UUID) -> None:
    """Delete the file of an import that needs it no more."""
    path_of(settings, import_id).unlink(missing_ok=True)


def discard_strangers(settings: Settings, wanted: Collection[UUID], *, before: datetime) -> None:
    """Delete files that belong to no import, and were left behind before a moment."""
    names = {str(import_id) for import_id in wanted}
    for path in path_of(settings, UUID(int=0)).parent.glob("*"):
        if path.name not in names and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
