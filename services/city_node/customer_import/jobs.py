"""Going on with the imports that the node loads by itself: those that were uploaded, and undos that were asked for."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from services.city_node.customer_import import repository, uploads
from services.city_node.customer_import.models import ImportState
from services.city_node.customer_import.problems import ImportStateUnfit
from services.city_node.customer_import.retention import delete_old
from services.city_node.customer_import.service import Desk, load
from services.city_node.customer_import.undoing import undo
from services.city_node.personal_data.problems import KeysRotating, ValuesInClear
from shared.capability import Daily, Every, Job, NodeContext
from shared.kernel.database import is_away
from shared.kernel.language import Language, Text
from shared.kernel.problems import Problem

log = structlog.get_logger("customer_import")


def desk_of(context: NodeContext) -> Desk:
    """Return what the imports of a node are loaded with."""
    strict = context.settings.undeclared_attributes == "refuse"
    return Desk(
        context.database, context.clock, context.cipher, context.settings.code, strict=strict
    )


async def _go_on(context: NodeContext, now: datetime) -> None:
    async with context.database.transaction() as session:
        waiting = await repository.waiting(session)
    for import_id, state in waiting:
        try:
            if state == ImportState.UNDOING:
                await _undo(context, import_id)
            else:
                await _load(context, import_id)
        except (KeysRotating, ValuesInClear) as problem:  # it is taken up when that has ended
            log.info("import waits", import_id=str(import_id), why=str(problem))
        except ImportStateUnfit as problem:  # it was cancelled meanwhile
            log.info("import ended", import_id=str(import_id), why=str(problem))
        except Exception as error:
            if is_away(error):
                raise  # it goes on when the database is back
            log.exception("import failed", import_id=str(import_id))
            await _fail(context, import_id, error)
    kept = timedelta(days=context.settings.import_file_retention_days)
    async with context.database.transaction() as session:
        for import_id in await repository.stored_before(session, now - kept):
            uploads.discard(context.settings, import_id)
            await repository.note_discarded(session, import_id)


async def _load(context: NodeContext, import_id: UUID) -> None:
    with uploads.path_of(context.settings, import_id).open("rb") as file:
        await load(desk_of(context), import_id, file)
    uploads.discard(context.settings, import_id)


async def _undo(context: NodeContext, import_id: UUID) -> None:
    async with context.database.transaction() as session:
        row = await repository.locked(session, import_id)
        by = (row.undone_by if row else None) or "node"
    await undo(desk_of(context), import_id, by)
    uploads.discard(context.settings, import_id)


async def _fail(context: NodeContext, import_id: UUID, error: Exception) -> None:
    sentence = error.speak(Language.ENGLISH) if isinstance(error, Problem) else type(error).__name__
    async with context.database.transaction() as session:
        row = await repository.locked(session, import_id)
        if row is not None and row.state in {
            ImportState.QUEUED,
            ImportState.LOADING,
            ImportState.UNDOING,
        }:
            row.state, row.problem = ImportState.FAILED.value, sentence
            row.finished_at = context.clock.now()


GO_ON = Job(
    "customer-import",
    Text("Load the files that were uploaded, and undo imports", "导入已上传的文件，并执行撤销"),
    Every(timedelta(seconds=2)),
    _go_on,
)


async def _delete(context: NodeContext, now: datetime) -> None:
    settings = context.settings
    await delete_old(
        context.database,
        now=now,
        rejects=timedelta(days=settings.import_reject_retention_days),
        images=timedelta(days=settings.import_undo_retention_days),
    )
    async with context.database.transaction() as session:
        wanted = await repository.stored(session)
    uploads.discard_strangers(settings, wanted, before=now - timedelta(days=1))


RETAIN = Job(
    "customer-import-retention",
    Text(
        "Delete what imports keep once its retention period has passed: rejected rows, what records were before",
        "删除保存期满的导入留存数据：拒绝记录与修改前的数据",
    ),
    Daily(at="03:50"),
    _delete,
)
