"""``guanxi rollup``: counting by hand, and looking at what was counted."""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from pydantic import ValidationError

from services.city_node.rollup.schemas import RollupIn
from services.city_node.rollup.service import roll_up, roll_up_due
from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.kernel.problems import invalid_input
from shared.kernel.tier import Tier
from shared.statistics.period import Period
from shared.statistics.repository import SLICES

app = typer.Typer(help="A city's roll-up.", no_args_is_help=True)

_COLUMNS = "node,dataset,period,revision,row_count,computed_at,received_at,superseded_at,reason"


@app.command("run")
def run_rollup(
    node: NodeOption,
    period: Annotated[
        str | None, typer.Option(help="Month or day, such as 2026-11; what is due without it.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why figures that were told before change.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Count a city's figures, and post to HQ what has changed."""

    async def count(context: NodeContext) -> list[dict[str, Any]]:
        if context.settings.tier is not Tier.CITY:
            raise CommandFailed(f"Node {node} is no city: only cities count. Name one with --node.")
        now = context.clock.now()
        try:
            asked = RollupIn(period=period, reason=reason)
        except ValidationError as error:
            raise invalid_input(
                [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
            ) from None
        counted = (
            await roll_up(
                context.database, context.post, [Period.parse(period)], reason=asked.reason, now=now
            )
            if period
            else await roll_up_due(context.database, context.post, now=now)
        )
        return [asdict(each) for each in counted]

    show(run(node, count), json=json, title=f"Roll-up of {node}")


@app.command("list")
def list_slices(
    node: NodeOption,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    period: Annotated[str | None, typer.Option(help="Only this month or day.")] = None,
    current: Annotated[
        bool | None,
        typer.Option(
            "--current/--superseded", help="Only what counts now, or only what no longer does."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most revisions to show, newest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List the slices that a node of any tier has, newest first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        filters = {
            "dataset": dataset,
            "period": str(Period.parse(period)) if period else None,
            "current": current,
        }
        page = PageRequest(limit=limit, sort="-received_at", fields=_COLUMNS)
        items: list[dict[str, Any]] = orjson.loads(
            await SLICES.page(await context.database.pool(), page, filters)
        )["items"]
        return items

    show(run(node, read), json=json, title=f"Slices at {node}")
