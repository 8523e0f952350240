"""``guanxi node``: run a node, let nodes join, see which there are."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    node_settings,
    operator_name,
    run,
    sentences,
    show,
)
from shared.federation.enrolment import Invitation, InvitationInvalid
from shared.federation.link import LinkDown
from shared.node import joining
from shared.node.pidfile import NAME as PID_FILE
from shared.node.pidfile import holder
from shared.node.serve import address, serve
from shared.organisation.division import UnknownDivision, division

app = typer.Typer(name="node", help="Run a node, and let nodes join.", no_args_is_help=True)


@app.command("run")
def run_node(
    node: NodeOption,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    parent_url: Annotated[
        str | None, typer.Option(help="Base URL at which the node reaches its parent.")
    ] = None,
) -> None:
    """Run one node until Ctrl-C. An option wins over the environment, and that over the node's file."""
    given = {"HOST": host, "PORT": port, "WORKERS": workers, "PARENT_URL": parent_url}
    os.environ.update(
        {f"GUANXI_{name}": str(value) for name, value in given.items() if value is not None}
    )
    os.environ["GUANXI_NODE"] = node  # the workers find their settings by it
    with sentences():
        settings = node_settings(node)
        division(settings.code)
        started = serve(settings)
    if not started:
        raise typer.Exit(1)


@app.command("invite")
def invite(
    child: Annotated[str, typer.Argument(help="Division code of the node that is to join.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Make a one-time code with which CHILD may join this node within a day."""

    async def act(context: NodeContext) -> Invitation:
        return await joining.invite(context, child, by=operator_name())

    with sentences():
        division(child)
    code = str(run(node, act))
    if json:
        show({"child": child, "parent": node, "code": code}, json=True)
    else:
        sys.stdout.write(f"{code}\n")


@app.command("enrol")
def enrol(
    node: NodeOption,
    parent_url: Annotated[
        str,
        typer.Option(
            "--parent-url", help="Base URL of the parent, such as https://guangdong.example:8440."
        ),
    ],
    code: Annotated[str, typer.Option("--code", help="One-time code from the parent's operator.")],
    json: JsonOption = False,
) -> None:
    """Let this node join its parent with a one-time code."""

    async def act(context: NodeContext) -> str:
        try:
            return await joining.join(context, parent_url, Invitation.from_text(code))
        except (LinkDown, InvitationInvalid) as error:
            raise CommandFailed(str(error)) from None

    parent = run(node, act)
    show({"node": node, "parent": parent, "parent_url": parent_url}, json=json, title="Joined")


@app.command("list")
def list_nodes(json: JsonOption = False) -> None:
    """List the nodes that keep their data on this machine, and whether they run."""
    home = Path(os.environ.get("GUANXI_HOME", "var"))
    show(
        [_described(directory, home) for directory in sorted(home.glob("nodes/[0-9]*"))],
        json=json,
        title=f"Nodes under {home}",
    )


def _described(directory: Path, home: Path) -> dict[str, Any]:
    with sentences():
        settings = node_settings(directory.name, home)
    try:
        name = "{0.name_en} {0.name_zh}".format(division(settings.code))
    except UnknownDivision:
        name = "?"
    return {
        "node": settings.code,
        "tier": settings.tier.value,
        "name": name,
        "url": address(settings.host, settings.port),
        "process": holder(directory / PID_FILE),
    }
