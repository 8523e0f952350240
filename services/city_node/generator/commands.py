"""``guanxi generate``: made-up data for measuring, training and showing."""

from datetime import date
from typing import Annotated, Any

import typer
from sqlalchemy import select, text

from services.city_node.generator.people import City
from services.city_node.generator.service import Made, generate, months_before
from services.city_node.generator.tables import COLUMNS
from services.city_node.group.industry import ensure_industries
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
from shared.kernel.clock import business_day
from shared.kernel.tier import Tier
from shared.organisation.division import divisions
from shared.organisation.models import OrganisationUnit
from shared.organisation.service import ensure_divisions, path_of_division

app = typer.Typer(help="Made-up data.", no_args_is_help=True)


@app.callback()
def _generate() -> None:
    """Make up data for measuring, training and showing."""


@app.command("city")
def generate_city(
    node: NodeOption,
    customers: Annotated[
        int, typer.Option("--customers", min=1, max=5_000_000, help="How many customers.")
    ],
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31, help="The same seed makes the same city.")
    ] = 1,
    months: Annotated[
        int,
        typer.Option("--months", min=1, max=60, help="Months of bills, up to the last whole one."),
    ] = 12,
    usage: Annotated[
        bool,
        typer.Option("--usage/--no-usage", help="Whether to make usage, the most rows by far."),
    ] = True,
    append: Annotated[
        bool, typer.Option("--append", help="Add to the customers that the node has.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make up a city: customers, lines, bills, usage, contacts. All of it or, if interrupted, nothing."""
    made = run(
        node,
        lambda context: _make(
            context, customers, seed=seed, months=months, usage=usage, append=append
        ),
    )
    seconds = round(made.seconds, 1)
    rows = sum(made.rows.values())
    shown: dict[str, Any] = {
        **made.rows,
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": round(rows / max(made.seconds, 0.001)),
    }
    show(shown, json=json, title=f"Generated in {node} from seed {seed}")


async def _make(
    context: NodeContext, customers: int, *, seed: int, months: int, usage: bool, append: bool
) -> Made:
    code = context.settings.code
    if context.settings.tier is not Tier.CITY:
        raise CommandFailed(f"Node {code} is no city: only cities have customers.")
    # The node may never have run: these come with its first start.
    await ensure_divisions(context)
    await ensure_industries(context)
    now = context.clock.now()
    made = Made()
    with progress() as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(f"Making {what}", total=total)
            bar.update(tasks[what], completed=done)

        async with context.database.transaction() as session:
            units = await session.scalars(
                select(OrganisationUnit.code)
                .where(
                    OrganisationUnit.path.startswith(path_of_division(code)),
                    OrganisationUnit.active,
                )
                .order_by(OrganisationUnit.code)
            )
            city = City(
                seed=seed,
                node=code,
                place=divisions()[code].name_zh.removesuffix("市"),
                units=units.all(),
                months=months_before(_first_of(business_day(now)), months),
                cipher=context.cipher,
                now=now,
                by=operator_name(),
            )
            made = await generate(
                session, city, customers, append=append, usage=usage, on_progress=tell
            )
    async with context.database.transaction() as session:
        await session.execute(text("SELECT brin_summarize_new_values('usage_month_period_idx')"))
        await session.execute(text(f"ANALYZE {', '.join([*COLUMNS, 'usage_month'])}"))
    return made


def _first_of(day: date) -> date:
    return day.replace(day=1)
