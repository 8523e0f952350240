"""``guanxi customer query``."""

from typing import Annotated, Any

import orjson
import typer

from services.city_node.query import service
from services.city_node.query.schemas import QueryIn
from shared.capability import NodeContext, Requester
from shared.commandline import JsonOption, NodeOption, operator_name, run, show
from shared.kernel.listing import MAX_PAGE

app = typer.Typer(help="Customers of a city.", no_args_is_help=True)
_COLUMNS = "customer_number,name,level,unit_code,monthly_charge_fen,entry_date"
EVERY_UNIT = ""
"""The path that every unit's path begins with: whoever runs a command is the node's operator."""


@app.command("query")
def query(
    condition: Annotated[
        str,
        typer.Argument(help="Condition in its text form, such as 'level = gold and age < 30'."),
    ],
    node: NodeOption,
    fields: Annotated[str, typer.Option(help="Fields to show, separated by commas.")] = _COLUMNS,
    sort: Annotated[
        str | None, typer.Option(help="Field to sort by, - before it for descending.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most customers to show.")] = 20,
    count: Annotated[bool, typer.Option("--count", help="Count all of them, too.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how the condition is answered.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show the customers that meet a condition."""
    asked = QueryIn(
        condition=condition,
        fields=fields.split(","),
        sort=sort,
        limit=limit,
        count=count,
        explain=explain,
    )

    async def ask(context: NodeContext) -> dict[str, Any]:
        operator = Requester(operator_name(), None, context.settings.code, None)
        found: dict[str, Any] = orjson.loads(
            await service.query(context, asked, operator, EVERY_UNIT, now=context.clock.now())
        )
        return found

    found = run(node, ask)
    if json:
        show(found, json=True)
        return
    total = f" of {found['count']:,}" if count else ""
    show(found["items"], json=False, title=f"{len(found['items'])}{total} customers")
    if explain:
        show(found["explain"], json=False, title="How it is answered")
