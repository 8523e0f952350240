"""``guanxi verification``: planning tasks by hand."""

from dataclasses import asdict
from typing import Any

import typer

from services.city_node.verification.plan import plan
from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, run, show
from shared.kernel.tier import Tier

app = typer.Typer(help="Verification of profiles.", no_args_is_help=True)


@app.callback()
def _verification() -> None:
    """Verification of profiles."""


@app.command("plan")
def plan_verification(node: NodeOption, json: JsonOption = False) -> None:
    """Make tasks of the profiles that must be verified, as the nightly job does; nobody gets a second one."""

    async def make(context: NodeContext) -> dict[str, Any]:
        if context.settings.tier is not Tier.CITY:
            raise CommandFailed(f"Node {node} is no city: only cities have customers.")
        return asdict(await plan(context.database, now=context.clock.now()))

    show(run(node, make), json=json, title=f"Verification at {node}")
