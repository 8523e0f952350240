"""``guanxi points``: accrual, expiry, a customer's statement, and whether the ledger is right."""

from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.customer.looks import LOOKED
from services.city_node.points.runs import run_accrual, run_expiry
from services.city_node.points.schemas import Scope
from services.city_node.points.statement import entries
from services.city_node.points.verification import verify
from shared import audit
from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    operator_name,
    progress,
    run,
    show,
)
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.kernel.tier import Tier

app = typer.Typer(help="Points of a city's customers.", no_args_is_help=True)


@app.callback()
def _points() -> None:
    """Work on the points of a city's customers."""


@app.command("accrue")
def accrue_points(
    node: NodeOption,
    scope: Annotated[
        Scope, typer.Option(help="Every bill, or those that came or changed since.")
    ] = Scope.CHANGED,
    json: JsonOption = False,
) -> None:
    """Let bills earn their points; it may be interrupted, and the next run goes on."""

    async def accrue(context: NodeContext) -> dict[str, Any]:
        _require_city(context)
        actor = audit.Actor.command(operator_name())
        with progress() as bar:
            task = bar.add_task("Judging bills", total=None)

            async def tell(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            now = context.clock.now()
            return dict(await run_accrual(context, scope, actor, now=now, on_progress=tell))

    show(run(node, accrue), json=json, title=f"Accrual at {node}")


@app.command("expire")
def expire_points(node: NodeOption, json: JsonOption = False) -> None:
    """Let points expire whose day has come."""

    async def expire(context: NodeContext) -> dict[str, Any]:
        _require_city(context)
        actor = audit.Actor.command(operator_name())
        return dict(await run_expiry(context, actor, now=context.clock.now()))

    show(run(node, expire), json=json, title=f"Expiry at {node}")


@app.command("statement")
def show_statement(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="Customer number or id.")],
    node: NodeOption,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most lines to show, the latest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """Show how a customer's points came and went, with the balance after each line."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        pool = await context.database.pool()
        found: UUID | None = await pool.fetchval(
            "SELECT id FROM customer WHERE customer_number = $1 OR id::text = $1", customer
        )
        if found is None:
            raise CommandFailed(f"Node {node} has no customer {customer}.")
        await audit.record_now(
            context.database,
            audit.Actor.command(operator_name()),
            LOOKED,
            at=context.clock.now(),
            subject=("customer", found),
            fields=["points"],
        )
        page = PageRequest(limit=limit, sort="-id")
        items: list[dict[str, Any]] = orjson.loads(
            await entries.page(pool, page, {"customer": found})
        )["items"]
        return items

    show(run(node, read), json=json, title=f"Points of {customer}")


@app.command("verify")
def verify_points(node: NodeOption, json: JsonOption = False) -> None:
    """Check the ledger: balances, lots, bills, redemptions and acts; exit with 1 if anything does not hold."""

    async def check(context: NodeContext) -> list[dict[str, Any]]:
        _require_city(context)
        return [
            {
                "check": found.check.code,
                "holds": not found.breaches,
                "breaches": found.breaches,
                "examples": list(found.examples),
                "what": found.check.summary.en,
            }
            for found in await verify(context.database)
        ]

    found = run(node, check)
    show(found, json=json, title=f"Ledger of points at {node}")
    if not all(each["holds"] for each in found):
        raise typer.Exit(1)


def _require_city(context: NodeContext) -> None:
    if context.settings.tier is not Tier.CITY:
        raise CommandFailed(f"Node {context.settings.code} is no city: only cities have customers.")
