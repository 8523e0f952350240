"""``guanxi repair``: repairs and what customers say about them, from the command line."""

from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.repair import repository
from services.city_node.repair.kind import KIND
from services.city_node.service_request.repository import read
from services.city_node.service_request.service import RequestNotFound
from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest

app = typer.Typer(help="Repairs for customers of other cities.", no_args_is_help=True)

EVERY_UNIT = ""
"""The path that every unit's path begins with: whoever runs a command is the node's operator."""

_COLUMNS = "id,role,home,visited,state,handset,level,result,total_fen,home_fen,differs"
_SHOWN = {
    "estimates": ("number", "total_fen", "customer_fen", "home_fen", "decision", "decided_by"),
    "loans": ("make", "model", "deposit_fen", "due_on", "ending", "refunded_fen", "kept_fen"),
    "trail": ("at", "node", "event", "state", "note", "by"),
}
"""What is shown of each list; `--json` has all of it."""
_NESTED = ("handset", "terms", "outcome", "satisfaction")


@app.command("list")
def list_repairs(
    node: NodeOption,
    state: Annotated[str | None, typer.Option(help="Only this state, such as agreed.")] = None,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only those that have not ended.")
    ] = False,
    differing: Annotated[
        bool,
        typer.Option("--differing", help="Only where the two cities computed different parts."),
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most repairs to show, newest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List the node's repairs, newest first."""

    async def act(context: NodeContext) -> list[dict[str, Any]]:
        filters = {
            "kind": KIND.code,
            "state": state,
            "open": open_only or None,
            "differs": differing or None,
        }
        page = PageRequest(limit=limit, sort="-created_at", fields=_COLUMNS)
        body = await repository.REPAIRS.page(await context.database.pool(), page, filters)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, act), json=json, title=f"Repairs at node {node}")


@app.command("show")
def show_repair(
    request_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="Id of the request, the same at both ends.")
    ],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Show a repair with its estimates, loans, outcome and trail."""

    async def act(context: NodeContext) -> dict[str, Any]:
        found = await read(
            await context.database.pool(),
            request_id,
            unit_path=EVERY_UNIT,
            kind=KIND.code,
            listing=repository.WHOLE,
        )
        if found is None:
            raise RequestNotFound(id=request_id)
        document: dict[str, Any] = orjson.loads(found.json)
        return document

    repair = run(node, act)
    if json:
        show(repair, json=True)
        return
    lists = {name: repair.pop(name) for name in _SHOWN}
    for name in _NESTED:
        repair |= {f"{name}.{key}": value for key, value in (repair.pop(name) or {}).items()}
    show(repair, json=False, title=f"Repair {request_id} at node {node}")
    for title, rows in lists.items():
        if rows:
            lines = [{name: _spoken(row[name]) for name in _SHOWN[title]} for row in rows]
            show(lines, json=False, title=title.capitalize())


@app.command("satisfaction")
def show_satisfaction(node: NodeOption, json: JsonOption = False) -> None:
    """Show how satisfied customers are, by unit and level; a blank stands for all."""

    async def act(context: NodeContext) -> list[dict[str, Any]]:
        pool = await context.database.pool()
        lines = await repository.satisfaction(pool, EVERY_UNIT, since=None, until=None)
        return [dict(line) for line in lines]

    show(run(node, act), json=json, title=f"Satisfaction with repairs at node {node}")


def _spoken(value: Any) -> Any:
    return f"{value['en']} {value['zh']}" if isinstance(value, dict) else value
