"""Reports over HTTP."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Response

from shared.access import Principal
from shared.kernel.database import driver_connection
from shared.kernel.download import Download
from shared.kernel.edge import (
    ExpectedVersion,
    NodeDatabase,
    NodeSettings,
    Now,
    Page,
    Transaction,
)
from shared.kernel.ids import new_id
from shared.kernel.listing import PageRequest
from shared.kernel.preconditions import entity_tag
from shared.statistics.forms import Form, content_type
from shared.statistics_report import repository
from shared.statistics_report.access import Reader, Writer
from shared.statistics_report.delivery import file_of, provenance_of
from shared.statistics_report.models import Schedule, StatisticsReport
from shared.statistics_report.schemas import (
    NewReport,
    ReportChange,
    ReportOut,
    ReportPage,
    RunOut,
    RunPage,
)
from shared.statistics_report.service import Reports
from shared.work.service import requester_of

router = APIRouter(prefix="/statistics/reports")
JSON = "application/json"


def _reports(
    principal: Principal, session: Transaction, settings: NodeSettings, now: Now
) -> Reports:
    return Reports(session, settings, requester_of(principal), principal.unit_path, now)


async def seen(
    principal: Reader, session: Transaction, settings: NodeSettings, now: Now
) -> Reports:
    """Return the reports as a reader sees them."""
    return _reports(principal, session, settings, now)


async def kept(
    principal: Writer, session: Transaction, settings: NodeSettings, now: Now
) -> Reports:
    """Return the reports as somebody may change them."""
    return _reports(principal, session, settings, now)


Seen = Annotated[Reports, Depends(seen)]
Kept = Annotated[Reports, Depends(kept)]


def _answer(response: Response, report: StatisticsReport) -> ReportOut:
    response.headers["etag"] = entity_tag(report.version)
    return ReportOut(**{name: getattr(report, name) for name in ReportOut.model_fields})


async def _run(reports: Reports, report_id: UUID, run_id: UUID) -> bytes:
    connection = await driver_connection(reports.session)
    filters = {"report": report_id, "id": run_id}
    page = orjson.loads(await repository.RUNS.page(connection, PageRequest(), filters))
    return orjson.dumps(page["items"][0])


@router.post("", status_code=201, summary="Keep a report")
async def create_report(
    body: NewReport, principal: Writer, reports: Kept, response: Response
) -> ReportOut:
    """Keep a question under a name, for the caller's unit. The caller is its owner: it is asked as they may."""
    report = await reports.create(new_id(), body, principal.id)
    response.headers["location"] = f"/statistics/reports/{report.id}"
    return _answer(response, report)


@router.get(
    "", summary="List reports", responses={200: {"model": ReportPage}}, response_class=Response
)
async def list_reports(
    principal: Reader, database: NodeDatabase, page: Page, schedule: Schedule | None = None
) -> Response:
    """Return a page of the reports of the caller's unit and those below."""
    filters = {"scope": principal.unit_path, "schedule": schedule}
    body = await repository.LISTING.page(await database.pool(), page, filters)
    return Response(body, media_type=JSON)


@router.get("/{report_id}", summary="Read a report")
async def read_report(report_id: UUID, reports: Seen, response: Response) -> ReportOut:
    """Return a report with its question."""
    return _answer(response, await reports.find(report_id))


@router.patch("/{report_id}", summary="Change a report")
async def change_report(
    report_id: UUID,
    body: ReportChange,
    reports: Kept,
    expected: ExpectedVersion,
    response: Response,
) -> ReportOut:
    """Change what is named. The owner stays who it was."""
    return _answer(response, await reports.change(report_id, body, expected))


@router.delete("/{report_id}", status_code=204, summary="Delete a report")
async def delete_report(report_id: UUID, reports: Kept, expected: ExpectedVersion) -> None:
    """Delete a report with its runs and their files."""
    await reports.delete(report_id, expected)


@router.post(
    "/{report_id}/runs",
    status_code=202,
    summary="Run a report now",
    responses={202: {"model": RunOut}},
    response_class=Response,
)
async def run_report(report_id: UUID, reports: Kept) -> Response:
    """Ask for a run. It is done in the background: `GET /works/{id}` follows and cancels it."""
    run = await reports.run(report_id, id=new_id())
    headers = {"location": f"/statistics/reports/{report_id}/runs/{run.id}"}
    return Response(await _run(reports, report_id, run.id), 202, headers, media_type=JSON)


@router.get(
    "/{report_id}/runs",
    summary="List the runs of a report",
    responses={200: {"model": RunPage}},
    response_class=Response,
)
async def list_runs(report_id: UUID, reports: Seen, database: NodeDatabase, page: Page) -> Response:
    """Return a page of the runs, the latest first; of those that failed, why."""
    await reports.find(report_id)
    latest_first = replace(page, sort=page.sort or "-id")
    body = await repository.RUNS.page(await database.pool(), latest_first, {"report": report_id})
    return Response(body, media_type=JSON)


@router.get(
    "/{report_id}/runs/{run_id}",
    summary="Read a run",
    responses={200: {"model": RunOut}},
    response_class=Response,
)
async def read_run(report_id: UUID, run_id: UUID, reports: Seen) -> Response:
    """Return a run: how far it is, its file's size and digest, or why it failed."""
    await reports.run_of(report_id, run_id)
    return Response(await _run(reports, report_id, run_id), media_type=JSON)


@router.get(
    "/{report_id}/runs/{run_id}/content",
    summary="Download the file of a run",
    response_class=Download,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        206: {"description": "The part that `Range` asks for."},
        304: {"description": "The file is the one that the caller has."},
        416: {"description": "The file does not reach that far."},
    },
)
async def download(
    report_id: UUID, run_id: UUID, reports: Seen, settings: NodeSettings
) -> Download:
    """Return the file, whole or by `Range`. Its ETag is its SHA-256; `Link` leads to what its figures are made of."""
    run, state = await reports.run_of(report_id, run_id)
    path = file_of(settings, run, state)
    made_of = f"/statistics/reports/{report_id}/runs/{run_id}/provenance"
    return Download(
        path,
        media_type=content_type(Form(run.format)),
        filename=path.name,
        headers={
            "etag": f'"{run.sha256}"',
            "cache-control": "private, no-cache",
            "link": f'<{made_of}>; rel="describedby"; type="application/json"',
        },
    )


@router.get(
    "/{report_id}/runs/{run_id}/provenance",
    summary="Download what the figures of a run are made of",
    response_class=Download,
)
async def download_provenance(
    report_id: UUID, run_id: UUID, reports: Seen, settings: NodeSettings
) -> Download:
    """Return the indicators of a run, and the cities and revisions that its figures are made of."""
    run, state = await reports.run_of(report_id, run_id)
    return Download(provenance_of(file_of(settings, run, state)), media_type=JSON)
