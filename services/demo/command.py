"""``guanxi demo``: the whole idea on this machine, in one command."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from services.demo.memory import Memory
from services.demo.nodes import forget, is_there, plan_nodes
from services.demo.people import read_table, settle
from services.demo.stage import Stage
from services.demo.story import tell
from shared.commandline import JsonOption, sentences
from shared.kernel.clock import BUSINESS_ZONE, SystemClock
from shared.kernel.tier import Tier
from shared.node.up import cancel_when_told_to_end

app = typer.Typer()

INTERRUPTED = 130
"""What a shell calls a program that Ctrl-C has ended."""


@app.command("demo")
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End when everything is shown, instead of staying up.")
    ] = False,
    json: JsonOption = False,
    home: Annotated[
        Path, typer.Option("--home", help="Directory of the demo's own, for all that it keeps.")
    ] = Path("var/demo"),
    fresh: Annotated[
        bool,
        typer.Option("--fresh/--keep", help="Begin anew, or go on with what an earlier demo left."),
    ] = False,
) -> None:
    """Start HQ, provinces and cities here, import customers, roll up, serve other cities' customers, clear the day."""
    console = Console(stderr=json)
    with sentences():
        answer = asyncio.run(_run(home, console, once=once, fresh=fresh))
    if answer is None:
        raise typer.Exit(INTERRUPTED if once else 0)
    if json:
        sys.stdout.write(orjson.dumps(answer).decode() + "\n")


async def _run(home: Path, console: Console, *, once: bool, fresh: bool) -> dict[str, Any] | None:
    """Run the demo; ``None`` if it was told to end."""
    cancel_when_told_to_end()
    today = SystemClock().now().astimezone(BUSINESS_ZONE).date()
    try:
        rows = await asyncio.to_thread(read_table)
        if fresh and is_there(home):
            await forget(home, plan_nodes(home, Memory(reference=today)))
        memory = Memory.of(home, today=today)
        nodes = plan_nodes(home, memory)
        memory.make_passwords([node.code for node in nodes])
        memory.keep(home)
        cities = [node.code for node in nodes if node.tier is Tier.CITY]
        stage = Stage(home, memory, nodes, settle(rows, cities), console)
        return await tell(stage, once=once)
    except asyncio.CancelledError:
        console.print("Stopped.", style="dim")
        return None
