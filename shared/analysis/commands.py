"""``guanxi analysis``: analysts' access to the star, and the lake."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer

from shared import audit
from shared.analysis import analyst
from shared.analysis.access import GRANTED, REVOKED
from shared.analysis.exporting import export_lake
from shared.analysis.reference import current_reference
from shared.capability import Action, NodeContext
from shared.commandline import JsonOption, NodeOption, errors, operator_name, run, show
from shared.startup import database_addresses

app = typer.Typer(
    help="Figures for analysts' own tools: SQL and Parquet files.", no_args_is_help=True
)


@app.command("grant")
def grant(
    node: NodeOption,
    password_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the password; without it one is made, and shown once.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Let analysts read the star in the node's database; a second time, by a new password."""
    given = password_file.read_text("utf-8", errors="replace").strip() if password_file else None

    async def act(context: NodeContext) -> analyst.Access:
        code = context.settings.code
        await current_reference(context)  # the node may never have run
        async with _owner(context) as (owner, url):
            access = await analyst.grant(owner, code, url, given)
        await _record(context, GRANTED)
        return access

    access = run(node, act)
    shown = {"role": access.role, "url": access.url}
    if given is None and access.password is not None:
        shown["password"] = access.password
    show(shown, json=json, title=f"Analysts of node {node}")
    if access.password is None:
        errors.print(
            "The role is an administrator's: its password and limits are as they were given to it.",
            style="yellow",
            soft_wrap=True,
        )


@app.command("revoke")
def revoke(node: NodeOption, json: JsonOption = False) -> None:
    """Shut analysts out, and end their sessions."""

    async def act(context: NodeContext) -> dict[str, Any]:
        code = context.settings.code
        async with _owner(context) as (owner, _):
            was_there = await analyst.revoke(owner, code)
        if was_there:
            await _record(context, REVOKED)
        return {"role": analyst.role_of(code), "revoked": was_there}

    result = run(node, act)
    show(result, json=json, title=f"Analysts of node {node}")
    if not result["revoked"]:
        errors.print("There was nothing to revoke: analysts were not let in.", style="yellow")


@app.command("export-lake")
def export(node: NodeOption, json: JsonOption = False) -> None:
    """Write what has changed to the node's Parquet lake, as it does by night."""

    async def act(context: NodeContext) -> dict[str, Any]:
        return asdict(await export_lake(context, now=context.clock.now()))

    show(run(node, act), json=json, title=f"Lake of node {node}")


@contextlib.asynccontextmanager
async def _owner(context: NodeContext) -> AsyncIterator[tuple[asyncpg.Connection, str]]:
    """Give a connection as the owner of the tables, in a transaction, and its address."""
    async with database_addresses(context.settings) as addresses:
        owner = await asyncpg.connect(addresses.owner)
        try:
            async with owner.transaction():
                yield owner, addresses.owner
        finally:
            await owner.close()


async def _record(context: NodeContext, action: Action) -> None:
    await audit.record_now(
        context.database,
        audit.Actor.command(operator_name()),
        action,
        at=context.clock.now(),
        subject=("role", analyst.role_of(context.settings.code)),
    )
