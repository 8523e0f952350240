"""``guanxi up``: the nodes of a topology, in one command."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.commandline import JsonOption, console, errors, sentences, show
from shared.node.plan import listed, plan
from shared.node.topology import read_topology, schema
from shared.node.up import cancel_when_told_to_end, running

app = typer.Typer()


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    errors.print(sentence, highlight=False, markup=False, soft_wrap=True)


@app.command("up")
def up(
    topology: Annotated[
        Path, typer.Option("--topology", "-t", help="TOML file that says which nodes run here.")
    ] = Path("deploy/topology.toml"),
    print_schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of topology files, and end.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run the nodes of a topology on this machine until Ctrl-C."""
    if print_schema:
        sys.stdout.write(schema())
        return
    with sentences():
        asyncio.run(_run(topology, json=json))


async def _run(file: Path, *, json: bool) -> None:
    cancel_when_told_to_end()
    nodes = plan(read_topology(file), os.environ)
    try:
        say(f"Starting {len(nodes)} nodes under {nodes[0].home}.")
        async with running(nodes, source=str(file), say=say):
            if json:
                show({"nodes": listed(nodes)}, json=True)
                sys.stdout.flush()
            else:
                rows = [
                    {
                        "node": node.name,
                        "tier": node.tier.value,
                        "documentation": f"{node.url}/docs",
                    }
                    for node in nodes
                ]
                show(rows, json=False, title="Nodes")
                console.print("All nodes run. Ctrl-C stops them.")
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("All nodes have ended.")
