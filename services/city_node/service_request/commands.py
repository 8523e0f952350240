"""``guanxi request``: where requests are, from the command line."""

from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.service_request import repository
from services.city_node.service_request.service import RequestNotFound
from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest

app = typer.Typer(help="Requests between cities.", no_args_is_help=True)

EVERY_UNIT = ""
"""The path that every unit's path begins with: whoever runs a command is the node's operator."""

_COLUMNS = "id,kind,role,home,visited,state,awaiting,subject,deadline"


@app.command("show")
def show_request(
    request_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="Id of the request, the same at both ends.")
    ],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Show a request and its trail."""

    async def read(context: NodeContext) -> dict[str, Any]:
        found = await repository.read(
            await context.database.pool(), request_id, unit_path=EVERY_UNIT
        )
        if found is None:
            raise RequestNotFound(id=request_id)
        document: dict[str, Any] = orjson.loads(found.json)
        return document

    request = run(node, read)
    if json:
        show(request, json=True)
        return
    trail = request.pop("trail")
    show(request, json=False, title=f"Request {request_id} at node {node}")
    show(
        [{**entry, "note": f"{entry['note']['en']} {entry['note']['zh']}"} for entry in trail],
        json=False,
        title="Trail",
    )


@app.command("list")
def list_requests(
    node: NodeOption,
    kind: Annotated[
        str | None, typer.Option(help="Only this kind, such as card-replacement.")
    ] = None,
    state: Annotated[str | None, typer.Option(help="Only this state, such as approved.")] = None,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only those that have not ended.")
    ] = False,
    attention: Annotated[
        bool, typer.Option("--attention", help="Only those that call for a person.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most requests to show, newest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List the node's requests, newest first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        filters = {
            "kind": kind,
            "state": state,
            "open": open_only or None,
            "attention": attention or None,
        }
        page = PageRequest(limit=limit, sort="-created_at", fields=_COLUMNS)
        body = await repository.LISTING.page(await context.database.pool(), page, filters)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Requests at node {node}")
