"""``guanxi duplicate``: looking for duplicates by hand, and at what was found."""

from typing import Annotated, Any

import orjson
import typer

from services.city_node.customer.privacy import SHOWING, visible_columns
from services.city_node.duplicate.models import CandidateState
from services.city_node.duplicate.repository import candidates
from services.city_node.duplicate.service import scan
from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.kernel.tier import Tier

app = typer.Typer(help="Duplicate profiles.", no_args_is_help=True)


@app.command("scan")
def scan_duplicates(
    node: NodeOption,
    full: Annotated[
        bool, typer.Option("--full", help="Compare everybody, not only those who changed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Look for profiles that may be of one customer."""

    async def look(context: NodeContext) -> dict[str, Any]:
        if context.settings.tier is not Tier.CITY:
            raise CommandFailed(f"Node {node} is no city: only cities have customers.")
        done = await scan(context.database, context.cipher, full=full, now=context.clock.now())
        names = ("full", "customers", "keys", "blocks_left_out", "candidates", "opened")
        return {name: getattr(done, name) for name in names}

    show(run(node, look), json=json, title=f"Scan of {node}")


@app.command("list")
def list_duplicates(
    node: NodeOption,
    state: Annotated[CandidateState, typer.Option(help="In this state.")] = CandidateState.OPEN,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most pairs to show, the likeliest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List pairs of profiles that may be of one customer, the likeliest first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, sort="-score")
        pool = await context.database.pool()
        columns = visible_columns(candidates.columns, SHOWING)
        found = orjson.loads(
            await candidates.page(pool, page, {"state": state.value}, columns=columns)
        )
        return [
            {
                "id": item["id"],
                "score": item["score"],
                "left": item["left"]["customer_number"],
                "right": item["right"]["customer_number"],
                "reasons": item["reasons"],
                "found_at": item["found_at"],
            }
            for item in found["items"]
        ]

    show(run(node, read), json=json, title=f"Duplicates at {node}")
