"""``guanxi till``: shifts and what should be in their drawers, from the command line."""

from typing import Annotated, Any

import orjson
import typer

from services.city_node.till import repository
from services.city_node.till.models import ShiftState
from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest

app = typer.Typer(help="Tills and their shifts.", no_args_is_help=True)

_COLUMNS = "id,unit,cashier,state,opened_at,taken_fen,given_back_fen,expected_fen,counted_fen,difference_fen"


@app.callback()
def _group() -> None:
    """Keep ``shifts`` a command of a group, though it is the only one."""


@app.command("shifts")
def list_shifts(
    node: NodeOption,
    state: Annotated[ShiftState | None, typer.Option(help="Only shifts that are this far.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most shifts to show, newest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List the node's shifts with what should be in their drawers, newest first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, sort="-opened_at", fields=_COLUMNS)
        filters = {"state": state}
        body = await repository.SHIFTS.page(await context.database.pool(), page, filters)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Shifts at node {node}")
