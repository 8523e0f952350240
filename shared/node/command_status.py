"""``guanxi status``: a node's links, and what waits on each of their lanes."""

from typing import Any

import typer

from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, console, run, show
from shared.federation import repository

app = typer.Typer()


@app.command("status")
def status(node: NodeOption, json: JsonOption = False) -> None:
    """Show the node's links: what waits, for how many seconds, what is parked, and since when a link is down."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        async with context.database.transaction() as session:
            return await repository.status(session, now=context.clock.now())

    lanes = run(node, read)
    if json:
        show(lanes, json=True)
        return
    rows = [
        {
            "lane": f"{lane['peer']} {lane['lane']}",
            "waiting": lane["waiting"],
            "oldest (s)": round(lane["oldest_seconds"] or 0),
            "sent": lane["sent"],
            "acked": lane["acknowledged"],
            "received": lane["received"],
            "parked": lane["parked"],
        }
        for lane in lanes
    ]
    show(rows, json=False, title=f"Links of node {node}")
    for peer in {lane["peer"]: lane for lane in lanes}.values():
        if peer["failures"]:
            console.print(
                f"{peer['peer']} is down: {peer['failures']} attempts failed, the next at {peer['retry_at']:%H:%M:%S} UTC. {peer['last_error']}",
                highlight=False,
                markup=False,
            )
