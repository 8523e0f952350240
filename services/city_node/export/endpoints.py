"""Exports over HTTP."""

from dataclasses import replace
from uuid import UUID

import orjson
from fastapi import APIRouter, Response

from services.city_node.export import repository, service
from services.city_node.export.access import Exporter
from services.city_node.export.models import Format
from services.city_node.export.problems import ExportNotFound
from services.city_node.export.schemas import ExportOut, ExportPage, NewExport
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.download import Download
from shared.kernel.edge import NodeSettings, Now, Page, Transaction
from shared.kernel.ids import new_id
from shared.kernel.listing import PageRequest

router = APIRouter(prefix="/exports")
JSON = "application/json"
MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PARQUET: "application/vnd.apache.parquet",
}


async def _shown(session: Transaction, export_id: UUID, requester_id: UUID) -> bytes:
    filters = {"requester": requester_id, "id": export_id}
    connection = await driver_connection(session)
    page = orjson.loads(await repository.LISTING.page(connection, PageRequest(), filters))
    if not page["items"]:
        raise ExportNotFound(export=export_id)
    return orjson.dumps(page["items"][0])


@router.post(
    "",
    status_code=202,
    summary="Export customers",
    responses={202: {"model": ExportOut}},
    response_class=Response,
)
async def request_export(
    body: NewExport, principal: Exporter, session: Transaction, context: Context, now: Now
) -> Response:
    """Ask for a file of customers. It is made in the background: `GET /works/{id}` follows and cancels it."""
    export = await service.request_export(
        session, body, principal, context.cipher, id=new_id(), now=now
    )
    shown = await _shown(session, export.id, principal.id)
    return Response(shown, 202, {"location": f"/exports/{export.id}"}, media_type=JSON)


@router.get(
    "", summary="List exports", responses={200: {"model": ExportPage}}, response_class=Response
)
async def list_exports(principal: Exporter, context: Context, page: Page) -> Response:
    """Return a page of the caller's exports, the latest first."""
    latest_first = replace(page, sort=page.sort or "-id")
    pool = await context.database.pool()
    body = await repository.LISTING.page(pool, latest_first, {"requester": principal.id})
    return Response(body, media_type=JSON)


@router.get(
    "/{export_id}",
    summary="Read an export",
    responses={200: {"model": ExportOut}},
    response_class=Response,
)
async def read_export(export_id: UUID, principal: Exporter, session: Transaction) -> Response:
    """Return an export of the caller's: how far it is, and its file's size and digest."""
    return Response(await _shown(session, export_id, principal.id), media_type=JSON)


@router.get(
    "/{export_id}/content",
    summary="Download an export",
    response_class=Download,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        206: {"description": "The part that `Range` asks for."},
        304: {"description": "The file is the one that the caller has."},
        416: {"description": "The file does not reach that far."},
    },
)
async def download(
    export_id: UUID, principal: Exporter, session: Transaction, settings: NodeSettings, now: Now
) -> Download:
    """Return the file, whole or by `Range`. Its ETag is its SHA-256."""
    export, path = await service.file_for(session, settings, export_id, principal, now=now)
    return Download(
        path,
        media_type=MEDIA_TYPES[Format(export.format)],
        filename=f"customers-{export.id}.{export.format}",
        headers={"etag": f'"{export.sha256}"', "cache-control": "private, no-store"},
    )


@router.delete("/{export_id}/content", status_code=204, summary="Delete the file of an export")
async def delete_content(
    export_id: UUID, principal: Exporter, session: Transaction, settings: NodeSettings, now: Now
) -> None:
    """Delete the file now, rather than when its time is over."""
    await service.delete_file(session, settings, export_id, principal, now)
