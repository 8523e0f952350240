"""``guanxi node``: run a node, let nodes join, move and retire them, change keys, see which there are."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from shared import audit
from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    errors,
    node_settings,
    operator_name,
    run,
    sentences,
    show,
)
from shared.federation import membership
from shared.federation.enrolment import Invitation, InvitationInvalid
from shared.federation.link import LinkDown
from shared.federation.notices import speakable
from shared.federation.rotation import begin
from shared.node import joining
from shared.node.audited import KEY_REPLACED, KEY_ROTATED, RETIRED, RETIREMENT_PROPOSED
from shared.node.pidfile import NAME as PID_FILE
from shared.node.pidfile import holder
from shared.node.serve import address, serve
from shared.organisation.division import UnknownDivision, division

app = typer.Typer(
    name="node",
    help="Run a node; let nodes join, move and retire; change keys.",
    no_args_is_help=True,
)


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
    move: Annotated[
        bool, typer.Option("--move", help="It belongs to another parent now, and moves here.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a one-time code with which CHILD may ask to join this node within a day."""

    async def act(context: NodeContext) -> Invitation:
        return await joining.invite(context, child, by=operator_name(), moving=move)

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
    move: Annotated[
        bool, typer.Option("--move", help="Leave the present parent for this one.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Ask again until somebody at the parent admits the node.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Ask to join the parent with a one-time code; once a second person there has admitted the node, join it."""

    async def act(context: NodeContext) -> str:
        own = context.settings.parent_url
        if move and own and own != parent_url.rstrip("/"):
            raise CommandFailed(
                f"Setting `parent_url` of node {node} is {own}, and would win: set it to {parent_url} first, or remove it, "
                "and start the node again."
            )
        invitation = Invitation.from_text(code)
        try:
            return await joining.join(context, parent_url, invitation, moving=move)
        except joining.AdmissionAwaited as awaited:
            if not wait:
                raise
            errors.print(str(awaited), highlight=False, markup=False, soft_wrap=True)
            return await joining.join_when_admitted(context, parent_url, invitation, moving=move)

    async def refuse_in_sentences(context: NodeContext) -> str:
        try:
            return await act(context)
        except (LinkDown, InvitationInvalid, joining.AdmissionAwaited) as error:
            raise CommandFailed(str(error)) from None

    parent = run(node, refuse_in_sentences)
    show({"node": node, "parent": parent, "parent_url": parent_url}, json=json, title="Joined")


@app.command("admit")
def admit(
    child: Annotated[str, typer.Argument(help="Division code of the node that has asked to join.")],
    node: NodeOption,
    fingerprint: Annotated[
        str,
        typer.Option("--fingerprint", help="Fingerprint of its key, as its operator reads it out."),
    ],
    json: JsonOption = False,
) -> None:
    """Let CHILD in, which has asked to join; somebody else than who invited it does."""

    async def act(context: NodeContext) -> None:
        await joining.admit(context, child, fingerprint, by=operator_name())

    run(node, act)
    show(
        {"child": child, "parent": node, "admitted_by": operator_name()},
        json=json,
        title="Admitted",
    )


@app.command("retire")
def retire(
    code: Annotated[str, typer.Argument(help="Division code of the node that is given up.")],
    node: NodeOption,
    reason: Annotated[str | None, typer.Option("--reason", help="Why: proposes it.")] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve it, as a second person.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Retire node CODE, which belongs to this one: one person proposes with a reason, another approves."""
    if approve == bool(reason):
        raise typer.BadParameter("Give either --reason, to propose it, or --approve.")

    async def act(context: NodeContext) -> dict[str, Any]:
        by, now = operator_name(), context.clock.now()
        async with context.database.transaction() as session:
            action = RETIREMENT_PROPOSED if reason else RETIRED
            actor = audit.Actor.command(by)
            audit.record(session, actor, action, at=now, subject=("node", code))
            if reason:
                found = await membership.propose_retirement(
                    session, context.post, code, speakable(reason.strip()), by=by, now=now
                )
            else:
                found = await membership.approve_retirement(
                    session, context.post, code, by=by, now=now
                )
            return {
                "node": code,
                "reason": found.reason,
                "proposed_by": found.proposed_by,
                "approved_by": found.approved_by,
            }

    show(run(node, act), json=json, title="Retired" if approve else "Proposed")


@app.command("rotate-key")
def rotate_key(node: NodeOption, json: JsonOption = False) -> None:
    """Make the node's next key and announce it; the running node changes over to it by itself."""

    async def act(context: NodeContext) -> dict[str, Any]:
        actor, now = audit.Actor.command(operator_name()), context.clock.now()
        async with context.database.transaction() as session:
            audit.record(session, actor, KEY_ROTATED, at=now, subject=("node", node))
            rotation = await begin(session, context.post, context.settings, now=now)
        return {
            "node": node,
            "stage": rotation.stage.value,
            "fingerprint": context.post.key.public.fingerprint,
            "next_fingerprint": rotation.next_fingerprint,
        }

    show(run(node, act), json=json, title="Rotating")


@app.command("new-key")
def new_key(node: NodeOption, json: JsonOption = False) -> None:
    """Replace the node's key at once, as a revoked node has to before it joins again with a new one-time code."""

    async def act(context: NodeContext) -> dict[str, Any]:
        before = context.post.key.public.fingerprint
        actor, now = audit.Actor.command(operator_name()), context.clock.now()
        await audit.record_now(
            context.database, actor, KEY_REPLACED, at=now, subject=("node", node)
        )
        return {
            "node": node,
            "before": before,
            "fingerprint": context.post.keys.replace().public.fingerprint,
        }

    show(run(node, act), json=json, title="New key")


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
