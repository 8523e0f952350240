"""``guanxi work``: long work of a node, from the command line."""

import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.kernel.language import preferred_language
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.work import repository, service
from shared.work.models import Work, WorkState
from shared.work.schemas import WorkOut
from shared.work.service import Viewer

app = typer.Typer(help="Long work of a node in the background.", no_args_is_help=True)

OPERATOR = Viewer(None, "")
"""Whoever runs a command sees the work of every unit."""
_COLUMNS = "id,kind,title,requested_by,state,progress_done,progress_total,created_at"
WorkId = Annotated[UUID, typer.Argument(metavar="ID", help="Id of the piece of work.")]


@app.command("list")
def list_works(
    node: NodeOption,
    kind: Annotated[
        str | None, typer.Option(help="Only this kind, such as customer-export.")
    ] = None,
    state: Annotated[WorkState | None, typer.Option(help="Only this state.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most to show, the latest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List long work, the latest first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, sort="-id", fields=_COLUMNS)
        filters = {"kind": kind, "state": state}
        body = await repository.LISTING.page(await context.database.pool(), page, filters)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Work at node {node}")


@app.command("show")
def show_work(work_id: WorkId, node: NodeOption, json: JsonOption = False) -> None:
    """Show a piece of work: how far it is, and how it ended."""
    found = run(node, _on(lambda session, _: service.find(session, OPERATOR, work_id)))
    show(found, json=json, title=f"Work {work_id}")


@app.command("cancel")
def cancel_work(work_id: WorkId, node: NodeOption, json: JsonOption = False) -> None:
    """Cancel work: at once if it waits, at its next step if it runs."""

    def cancel(session: AsyncSession, context: NodeContext) -> Awaitable[Work]:
        return service.cancel(session, OPERATOR, work_id, now=context.clock.now())

    show(run(node, _on(cancel)), json=json, title=f"Work {work_id}")


def _on(
    act: Callable[[AsyncSession, NodeContext], Awaitable[Work]],
) -> Callable[[NodeContext], Awaitable[dict[str, Any]]]:
    async def work(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            found = await act(session, context)
            language = preferred_language(
                os.environ.get("LANG", "en").replace("_", "-").split(".")[0]
            )
            return WorkOut.of(found, language).model_dump(mode="json")

    return work
