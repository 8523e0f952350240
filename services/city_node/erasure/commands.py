"""``guanxi customer erase``."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from services.city_node.erasure.service import Order, due, erase_due
from shared import audit
from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    errors,
    operator_name,
    run,
    sentences,
    show,
)

app = typer.Typer(help="Customers of a city.", no_args_is_help=True)


@app.callback()
def _customers() -> None:
    """Work on the customers of a city."""


@app.command("erase")
def erase_customers(
    node: NodeOption,
    all_due: Annotated[
        bool, typer.Option("--due", help="Those who left and whose retention period has passed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Erase nobody: only count who is due.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Erase the personal data of customers whose retention period has passed; what is counted stays."""
    with sentences():
        if not all_due:
            raise CommandFailed("Say who is to be erased: --due is all that there is.")
    counted, erased = run(node, lambda context: _erase(context, dry_run=dry_run))
    if json:
        show({"due": counted, "erased": erased, "dry_run": dry_run}, json=True)
        return
    title = "would be erased (dry run)" if dry_run else "were due"
    show(counted, json=False, title=f"Customers of {node} who {title}")
    show({"erased": erased}, json=False)


async def _erase(context: NodeContext, *, dry_run: bool) -> tuple[Sequence[Mapping[str, Any]], int]:
    now, days = context.clock.now(), context.settings.retention_days
    counted = await due(context.database, days=days, now=now)
    if dry_run:
        return counted, 0
    total = sum(each["customers"] for each in counted)
    erased = await erase_due(
        context.database,
        Order(audit.Actor.command(operator_name())),
        context.cipher,
        days=days,
        now=now,
        on_progress=lambda done: errors.print(f"{done} of {total} erased", highlight=False),
    )
    return counted, erased
