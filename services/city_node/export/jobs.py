"""Deleting the files of exports when their time is over, and what interrupted ones left behind."""

import shutil
from datetime import datetime, timedelta
from uuid import UUID

from services.city_node.export import repository
from services.city_node.export.service import directory, file_of
from shared.capability import Every, Job, NodeContext
from shared.kernel.language import Text


async def _delete_files(context: NodeContext, now: datetime) -> None:
    async with context.database.transaction() as session:
        for export in await repository.expired(session, now):
            file_of(context.settings, export).unlink(missing_ok=True)
            export.deleted_at = now
        wanted = await repository.wanted_files(session)
    for path in directory(context.settings).iterdir():
        try:
            is_wanted = UUID(path.name.partition(".")[0]) in wanted
        except ValueError:
            continue  # not ours
        if not is_wanted and path.is_dir():
            shutil.rmtree(path)
        elif not is_wanted:
            path.unlink(missing_ok=True)


DELETE_FILES = Job(
    "delete-exports",
    Text("Delete the files of exports whose time is over", "删除超过保存期的导出文件"),
    Every(timedelta(hours=1)),
    _delete_files,
)
