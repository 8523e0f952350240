"""``guanxi transfer``: what is on the way to and from a city, and whose a customer is there."""

from typing import Annotated, Any
from uuid import UUID

import typer

from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, run, show
from shared.kernel.tier import Tier

app = typer.Typer(help="Transfers of customers between cities.", no_args_is_help=True)

_OPEN = """
    SELECT r.id, r.role, r.home, r.visited, r.state, r.awaiting, r.updated_at, r.deadline, t.customer_id, t.epoch, t.chunks,
           (SELECT count(*) FROM transfer_chunk k WHERE k.request_id = r.id) AS came
    FROM service_request r LEFT JOIN transfer_case t ON t.request_id = r.id
    WHERE r.kind = 'transfer' AND (r.ended_at IS NULL OR $1) ORDER BY r.created_at DESC LIMIT $2"""
_OWNERSHIP = """
    SELECT c.library, coalesce(o.state, 'live') AS state, coalesce(o.epoch, 1) AS epoch, o.other, o.transfer_id, o.since
    FROM customer c LEFT JOIN customer_ownership o ON o.customer_id = c.id WHERE c.id = $1"""
_STATES = (
    "SELECT state, count(*) AS customers FROM customer_ownership GROUP BY state ORDER BY state"
)


def _require_city(context: NodeContext) -> None:
    if context.settings.tier is not Tier.CITY:
        raise CommandFailed(f"Node {context.settings.code} is no city: only cities have customers.")


@app.command("list")
def list_transfers(
    node: NodeOption,
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most to show, newest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """List a city's transfers that are under way, to it and from it, and what each waits for."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        _require_city(context)
        rows = await (await context.database.pool()).fetch(_OPEN, ended, limit)
        return [dict(row) for row in rows]

    show(run(node, read), json=json, title=f"Transfers of {node}")


@app.command("whose")
def whose(
    customer: Annotated[UUID, typer.Argument(help="Id of the customer.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Show what a customer is to a city: its own, frozen on the way to another, or a copy of one who has left."""

    async def read(context: NodeContext) -> dict[str, Any]:
        _require_city(context)
        row = await (await context.database.pool()).fetchrow(_OWNERSHIP, customer)
        if row is None:
            raise CommandFailed(f"City {node} has no customer {customer}, and no copy of one.")
        return dict(row)

    show(run(node, read), json=json, title=f"Customer {customer} at {node}")


@app.command("count")
def count(node: NodeOption, json: JsonOption = False) -> None:
    """Count the customers of a city whom transfers have touched, by what they are to it now."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        _require_city(context)
        return [dict(row) for row in await (await context.database.pool()).fetch(_STATES)]

    show(run(node, read), json=json, title=f"Ownership at {node}")
