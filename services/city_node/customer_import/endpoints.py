"""Imports over HTTP: hand over a file, follow, cancel, resume and undo its import, download the rejected rows."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, File, Form, Query, Response, UploadFile
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.looks import look_at_list
from services.city_node.customer.privacy import DOCUMENT
from services.city_node.customer_import import repository, uploads
from services.city_node.customer_import.mapping import parameters_of, read_mapping
from services.city_node.customer_import.models import CustomerImport, ImportState, Records
from services.city_node.customer_import.problems import (
    ErasedNotAllowed,
    FileNotKept,
    ImportNotFound,
    MappingInvalid,
    RejectsDeleted,
)
from services.city_node.customer_import.reports import (
    form_of,
    rejects_as_csv,
    rejects_as_json,
    report,
)
from services.city_node.customer_import.schemas import ImportOut, ImportPage
from services.city_node.customer_import.service import (
    CANCELLABLE,
    RESUMABLE,
    Importer,
    begin,
    in_state,
)
from services.city_node.customer_import.undoing import UNDOABLE
from shared.access import Principal, require
from shared.capability import Context, NodeContext
from shared.kernel.clock import business_day
from shared.kernel.edge import Now, Page, Transaction
from shared.kernel.ids import new_id
from shared.kernel.problems import Fault

IMPORT = "customer:import"
IMPORT_ERASED = "customer:import-erased"
LARGEST_MAPPING = 1_000_000
"""Bytes."""

router = APIRouter(prefix="/customer-imports")
MayImport = Annotated[Principal, Depends(require(IMPORT))]


@router.post("", status_code=202, summary="Import a file")
async def import_file(
    response: Response,
    principal: MayImport,
    context: Context,
    session: Transaction,
    now: Now,
    file: Annotated[
        UploadFile, File(description="CSV with a header, also as .gz or .zst, or Parquet.")
    ],
    mapping: Annotated[UploadFile, File(description="TOML that says how columns become records.")],
    parameter: Annotated[
        list[str] | None,
        Form(
            description="Values for the mapping's parameters: `name=value`.",
            examples=[["left_on=2026-11-15"]],
        ),
    ] = None,
    dry_run: Annotated[
        bool, Query(description="Load nothing: only report what would happen.")
    ] = False,
    allow_erased: Annotated[
        bool,
        Query(
            description=f"Make customers anew even if they were erased here; takes `{IMPORT_ERASED}`."
        ),
    ] = False,
) -> ImportOut:
    """Take a file, and load it in the background, portion by portion; `Location` tells how far it is.

    Rows with faults are rejected with a reason, and the others loaded. Records are known again by their natural keys,
    so that the same file a second time changes nothing.
    """
    if allow_erased and not principal.may(IMPORT_ERASED):
        raise ErasedNotAllowed(permission=IMPORT_ERASED)
    read = read_mapping(await _text_of(mapping), parameters_of(parameter or []))
    import_id = new_id()
    await uploads.store(context.settings, import_id, file.file)
    try:
        begun = await begin(
            session,
            _importer(principal, context),
            file.file,
            name=file.filename or "file",
            mapping=read,
            now=now,
            dry_run=dry_run,
            allow_erased=allow_erased,
            stored_as=import_id,
        )
    except BaseException:
        uploads.discard(context.settings, import_id)
        raise
    response.headers["location"] = f"/customer-imports/{begun.id}"
    return await report(session, begun)


@router.get(
    "", summary="List imports", responses={200: {"model": ImportPage}}, response_class=Response
)
async def list_imports(
    principal: MayImport,
    context: Context,
    page: Page,
    mapping: Annotated[
        str | None,
        Query(
            description="Name of the mapping's source.", max_length=60, pattern=r"^[A-Za-z0-9_.-]+$"
        ),
    ] = None,
    sha256: Annotated[
        str | None, Query(description="Digest of the file.", pattern="^[0-9a-f]{64}$")
    ] = None,
    state: Annotated[ImportState | None, Query(description="Where the import is.")] = None,
    records: Annotated[Records | None, Query(description="What the rows are.")] = None,
) -> Response:
    """Return a page of the imports of the caller's unit and those below."""
    filters = {"scope": principal.unit_path, "mapping": mapping, "sha256": sha256}
    filters |= {"state": state, "records": records}
    return Response(
        await repository.imports.page(await context.database.pool(), page, filters),
        media_type="application/json",
    )


@router.get("/{import_id}", summary="Read an import")
async def read_import(
    import_id: UUID, principal: MayImport, session: Transaction, context: Context, now: Now
) -> ImportOut:
    """Return how far an import is, or what became of it, with the first reasons."""
    answer = await report(session, await _found(session, import_id, principal))
    if answer.kept_records:
        kept = orjson.dumps({"items": [one.model_dump(mode="json") for one in answer.kept_records]})
        await look_at_list(context, principal, "customer_import_kept", kept, now=now)
    return answer


@router.post("/{import_id}/cancellation", summary="Cancel an import")
async def cancel_import(
    import_id: UUID, principal: MayImport, session: Transaction, now: Now
) -> ImportOut:
    """Stop an import behind the portion that is being loaded; what was loaded stays, and can be undone."""
    await _found(session, import_id, principal)
    row = await in_state(session, import_id, CANCELLABLE, "cancelled")
    row.state, row.finished_at = ImportState.CANCELLED.value, now
    return await report(session, row)


@router.post("/{import_id}/resumption", status_code=202, summary="Resume an import")
async def resume_import(import_id: UUID, principal: MayImport, session: Transaction) -> ImportOut:
    """Go on with an import that failed or was cancelled, behind the last row that was done."""
    row = await _found(session, import_id, principal)
    row = await in_state(session, import_id, RESUMABLE, "resumed")
    if not row.stored:
        raise FileNotKept(id=import_id)
    row.state, row.problem, row.finished_at = ImportState.QUEUED.value, None, None
    return await report(session, row)


@router.post("/{import_id}/undo", status_code=202, summary="Undo an import")
async def undo_import(import_id: UUID, principal: MayImport, session: Transaction) -> ImportOut:
    """Take back, in the background, what an import has made and changed.

    What others changed since is kept, and listed in `kept_records`.
    """
    await _found(session, import_id, principal)
    row = await in_state(session, import_id, UNDOABLE, "undone")
    row.state, row.undone_by = ImportState.UNDOING.value, principal.username
    return await report(session, row)


@router.get(
    "/{import_id}/rejects",
    summary="Download the rejected rows",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/csv": {}, "application/json": {}},
            "description": "The rejected rows with line, columns, values and reasons.",
        }
    },
)
async def download_rejects(
    import_id: UUID,
    principal: MayImport,
    session: Transaction,
    context: Context,
    format: Annotated[  # noqa: A002 - the name of the parameter
        Literal["csv", "json"],
        Query(description="CSV, to be corrected; or JSON, only the reasons."),
    ] = "csv",
) -> StreamingResponse:
    """Return the rejected rows in the order of the file, to be corrected and imported again.

    The rows themselves are for whoever imported the file, and for those who may see document numbers; others get
    the reasons alone.
    """
    loaded = await _found(session, import_id, principal)
    if loaded.rejects_deleted_at is not None:
        raise RejectsDeleted(id=import_id, day=business_day(loaded.rejects_deleted_at))
    own = loaded.by == principal.username or DOCUMENT in principal.permissions
    cipher = context.cipher if own else None

    async def body() -> AsyncIterator[bytes]:
        # A transaction of its own: the endpoint's ends before the body is sent.
        async with context.database.transaction() as reading:
            rejects = (
                rejects_as_csv(reading, loaded, cipher)
                if format == "csv"
                else rejects_as_json(reading, loaded)
            )
            async for piece in rejects:
                yield piece

    headers = {"content-disposition": f'attachment; filename="rejects-{import_id}.{format}"'}
    charset = form_of(loaded)[1].removesuffix("-sig")
    kind = f"text/csv; charset={charset}" if format == "csv" else "application/json"
    return StreamingResponse(body(), media_type=kind, headers=headers)


def _importer(principal: Principal, context: NodeContext) -> Importer:
    return Importer(
        principal.username,
        principal.unit,
        principal.unit_path,
        context.settings.code,
        context.cipher,
    )


async def _found(session: AsyncSession, import_id: UUID, principal: Principal) -> CustomerImport:
    loaded = await repository.import_in_scope(session, import_id, principal.unit_path)
    if loaded is None:
        raise ImportNotFound(id=import_id)
    return loaded


async def _text_of(mapping: UploadFile) -> str:
    content = await mapping.read(LARGEST_MAPPING + 1)
    if len(content) > LARGEST_MAPPING:
        raise MappingInvalid([Fault("/", f"is larger than {LARGEST_MAPPING} bytes")])
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise MappingInvalid([Fault("/", "is not UTF-8")]) from None
