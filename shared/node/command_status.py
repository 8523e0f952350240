"""``guanxi status``: a node's links, and what waits on each of their lanes."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, console, run, show
from shared.federation import backlog, report
from shared.federation.rotation import Stage
from shared.node.identity import Standing, standing

app = typer.Typer()


@app.command("status")
def status(
    node: NodeOption,
    subtree: Annotated[
        bool, typer.Option("--subtree", help="Show every node at and below this one instead.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show the node's links: what waits, for how many seconds, what is parked, and since when a link is down."""
    if subtree:
        _show_subtree(node, json=json)
        return

    async def read(context: NodeContext) -> tuple[list[dict[str, Any]], Standing, bool]:
        async with context.database.transaction() as session:
            lanes = await backlog.status(session, now=context.clock.now())
        return lanes, await standing(context), await context.high_water.reached()

    lanes, identity, recalled = run(node, read)
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
            "epoch": lane["epoch"],
            "release": lane["version"],
        }
        for lane in lanes
    ]
    show(rows, json=False, title=f"Links of node {node}")
    if not recalled:
        console.print(
            "The node was restored from a backup, or cannot tell: it changes nothing until its parent has told it what it had done since, "
            "or `guanxi federation trust-database`."
        )
    for sentence in [*_troubles(lanes), *_of_identity(identity)]:
        console.print(sentence, highlight=False, markup=False)


def _troubles(lanes: list[dict[str, Any]]) -> Iterator[str]:
    """Say what is wrong with lanes and links."""
    for lane in lanes:
        if lane["stopped_because"]:
            yield f"{lane['peer']} {lane['lane']} is stopped: {lane['stopped_because']}"
    for peer in {lane["peer"]: lane for lane in lanes}.values():
        if peer["failures"]:
            yield f"{peer['peer']} is down: {peer['failures']} attempts failed, the next at {peer['retry_at']:%H:%M:%S} UTC. {peer['last_error']}"
        if peer["clock_offset_seconds"]:
            yield f"{peer['peer']}'s clock is {peer['clock_offset_seconds']:.0f} s ahead of this node's: set one of them."


def _of_identity(identity: Standing) -> Iterator[str]:
    """Say where a rotation is, and what there is to be warned of."""
    if identity.rotation.stage is not Stage.IDLE:
        yield f"The node's key is being rotated: {identity.rotation.stage.value}."
    yield from identity.warnings


def _show_subtree(node: str, *, json: bool) -> None:
    async def read(context: NodeContext) -> list[dict[str, Any]]:
        async with context.database.transaction() as session:
            return [
                {
                    **each.report.model_dump(
                        mode="json", exclude=None if json else {"links", "at"}
                    ),
                    "age_seconds": round(each.age_seconds),
                    "needs_attention": each.needs_attention,
                }
                for each in await report.subtree(session, now=context.clock.now())
            ]

    show(run(node, read), json=json, title=f"Nodes at and below {node}")
