"""``guanxi stats report``: reports from the command line."""

from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from shared.capability import NodeContext, Requester
from shared.commandline import JsonOption, NodeOption, operator_name, run, show
from shared.kernel.ids import new_id
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.statistics_report import repository
from shared.statistics_report.delivery import directory
from shared.statistics_report.schemas import ReportOut
from shared.statistics_report.service import Reports

app = typer.Typer(help="Statistics of a node and all below it.", no_args_is_help=True)
report_app = typer.Typer(
    help="Reports: questions that are kept, and their files.", no_args_is_help=True
)
app.add_typer(report_app, name="report")

EVERY_UNIT = ""
ReportId = Annotated[UUID, typer.Argument(metavar="ID", help="Id of the report.")]
Limit = Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most to show.")]


@report_app.command("list")
def list_reports(node: NodeOption, limit: Limit = 50, json: JsonOption = False) -> None:
    """List the reports of a node, and when the clock runs them next."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        fields = "id,name,owner,format,schedule,next_on"
        page = PageRequest(limit=limit, sort="name", fields=fields)
        body = await repository.LISTING.page(await context.database.pool(), page, {})
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Reports at node {node}")


@report_app.command("show")
def show_report(
    report_id: ReportId, node: NodeOption, limit: Limit = 10, json: JsonOption = False
) -> None:
    """Show a report with its last runs: where their files are, or why they failed."""

    async def read(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            report = await _reports(context, session).find(report_id)
            shown = ReportOut(**{name: getattr(report, name) for name in ReportOut.model_fields})
        page = PageRequest(limit=limit, sort="-id")
        body = await repository.RUNS.page(
            await context.database.pool(), page, {"report": report_id}
        )
        files = directory(context.settings) / str(report_id)
        runs = orjson.loads(body)["items"]
        return {**shown.model_dump(mode="json"), "directory": str(files), "runs": runs}

    show(run(node, read), json=json, title="Report")


@report_app.command("run")
def run_report(report_id: ReportId, node: NodeOption, json: JsonOption = False) -> None:
    """Ask for a run now; the running node makes the file."""

    async def ask(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            asked = await _reports(context, session).run(report_id, id=new_id())
            return {"run": str(asked.id), "report": str(report_id), "format": asked.format}

    show(run(node, ask), json=json, title="Run")


def _reports(context: NodeContext, session: Any) -> Reports:
    operator = Requester(operator_name(), None, context.settings.code, None)
    return Reports(session, context.settings, operator, EVERY_UNIT, context.clock.now())
