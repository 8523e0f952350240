"""Imports over HTTP: load a file, see what became of it, download why rows were rejected."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Query, Response, UploadFile
from fastapi.responses import StreamingResponse

from services.city_node.customer_import import repository
from services.city_node.customer_import.mapping import parameters_of, read_mapping
from services.city_node.customer_import.problems import ImportNotFound, MappingInvalid
from services.city_node.customer_import.reports import rehearsal, rejects_as_csv, report
from services.city_node.customer_import.schemas import ImportOut, ImportPage
from services.city_node.customer_import.service import Importer, load_file
from shared.access import Principal, require
from shared.capability import Context
from shared.kernel.edge import Now, Page, Transaction
from shared.kernel.problems import Fault

IMPORT = "customer:import"
LARGEST_MAPPING = 1_000_000
"""Bytes."""

router = APIRouter(prefix="/customer-imports")
MayImport = Annotated[Principal, Depends(require(IMPORT))]


@router.post("", status_code=201, summary="Import a file of customers")
async def import_file(
    response: Response,
    principal: MayImport,
    context: Context,
    session: Transaction,
    now: Now,
    file: Annotated[UploadFile, File(description="CSV with a header.")],
    mapping: Annotated[
        UploadFile, File(description="TOML that says how columns become customers.")
    ],
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
) -> ImportOut:
    """Load a file in one transaction; rows with faults are reported, and the others loaded.

    Customers are known again by the mapping's source and key column, so that the same file a second time changes
    nothing.
    """
    read = read_mapping(await _text_of(mapping), parameters_of(parameter or []))
    importer = Importer(
        principal.username,
        principal.unit,
        principal.unit_path,
        context.settings.code,
        context.cipher,
        strict=context.settings.undeclared_attributes == "refuse",
    )
    async with rehearsal(session, dry_run=dry_run):
        loaded = await load_file(
            session, importer, file.file, name=file.filename or "file", mapping=read, now=now
        )
        answer = await report(session, loaded)
    if dry_run:
        response.status_code = 200
    else:
        response.headers["location"] = f"/customer-imports/{answer.id}"
    return answer


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
) -> Response:
    """Return a page of the imports of the caller's unit and those below."""
    filters = {"scope": principal.unit_path, "mapping": mapping, "sha256": sha256}
    return Response(
        await repository.imports.page(await context.database.pool(), page, filters),
        media_type="application/json",
    )


@router.get("/{import_id}", summary="Read an import")
async def read_import(import_id: UUID, principal: MayImport, session: Transaction) -> ImportOut:
    """Return what became of a file, with the first reasons."""
    loaded = await repository.import_in_scope(session, import_id, principal.unit_path)
    if loaded is None:
        raise ImportNotFound(id=import_id)
    return await report(session, loaded)


@router.get(
    "/{import_id}/rejects",
    summary="Download the rejected rows",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": {}}, "description": "Line, column, value and reason, as CSV."}
    },
)
async def download_rejects(
    import_id: UUID, principal: MayImport, session: Transaction, context: Context
) -> StreamingResponse:
    """Return every reason why a row was not loaded, in the order of the file."""
    if await repository.import_in_scope(session, import_id, principal.unit_path) is None:
        raise ImportNotFound(id=import_id)

    async def lines() -> AsyncIterator[str]:
        # A transaction of its own: the endpoint's ends before the body is sent.
        async with context.database.transaction() as reading:
            async for line in rejects_as_csv(reading, import_id):
                yield line

    headers = {"content-disposition": f'attachment; filename="rejects-{import_id}.csv"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


async def _text_of(mapping: UploadFile) -> str:
    content = await mapping.read(LARGEST_MAPPING + 1)
    if len(content) > LARGEST_MAPPING:
        raise MappingInvalid([Fault("/", f"is larger than {LARGEST_MAPPING} bytes")])
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise MappingInvalid([Fault("/", "is not UTF-8")]) from None
