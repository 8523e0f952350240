"""``guanxi ownership``: the directory from the command line."""

from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.hq_node.ownership import repository
from services.hq_node.ownership.problems import OwnershipNeverMoved
from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, run, show
from shared.kernel.tier import Tier

app = typer.Typer(help="The directory of who owns which customer.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``show`` a command of a group, though it is the only one."""


@app.command("show")
def show_ownership(
    customer: Annotated[UUID, typer.Argument(help="Id of the customer.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Show whose a customer is by HQ's directory, and every move of ownership."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        if context.settings.tier is not Tier.HQ:
            raise CommandFailed(
                f"Node {node} is not HQ: the directory is there. Name it by --node."
            )
        found = await repository.read(await context.database.pool(), customer)
        if found is None:
            raise OwnershipNeverMoved(customer=customer)
        history: list[dict[str, Any]] = orjson.loads(found)["history"]
        return history

    show(run(node, read), json=json, title=f"Ownership of customer {customer}")
