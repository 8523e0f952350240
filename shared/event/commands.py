"""``guanxi event``: what happened at a node, and what happens."""

import asyncio
import sys
from typing import Annotated, Any

import orjson
import typer

from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.event import service
from shared.event.repository import Wanted

app = typer.Typer(help="What happened at a node, for programs to follow.", no_args_is_help=True)

PAUSE_SECONDS = 1.0
"""How long ``follow`` waits when nothing has happened."""
AT_ONCE = 500

TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only this type, such as guanxi.level.changed.v1; repeatable."),
]
SubjectOption = Annotated[
    str | None, typer.Option(help="Only what is about this path, such as /customers/ID.")
]
AfterOption = Annotated[
    int | None, typer.Option(min=0, help="Only what follows this cursor; all that is kept without.")
]


@app.command("list")
def list_events(
    node: NodeOption,
    types: TypeOption = None,
    subject: SubjectOption = None,
    after: AfterOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most to show, oldest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show what happened, oldest first."""

    async def read(context: NodeContext) -> dict[str, Any]:
        portion = await service.read_after(
            await context.database.pool(),
            context.settings.code,
            Wanted("", types, subject),
            after=after,
            limit=limit,
        )
        items = [orjson.loads(each) for each in portion.events]
        return {"items": items, "next": str(portion.next), "more": portion.more}

    found = run(node, read)
    if json:
        show(found, json=True)
        return
    rows = [_row(each) for each in found["items"]]
    show(rows, json=False, title=f"Events of node {node}; go on with --after {found['next']}")


@app.command("follow")
def follow(
    node: NodeOption,
    types: TypeOption = None,
    subject: SubjectOption = None,
    after: AfterOption = None,
) -> None:
    """Print what happens, each event as a CloudEvent on a line, until interrupted."""

    async def print_on(context: NodeContext) -> None:
        pool = await context.database.pool()
        cursor = await service.latest(pool) if after is None else after
        wanted = Wanted("", types, subject)
        while True:
            portion = await service.read_after(
                pool, context.settings.code, wanted, after=cursor, limit=AT_ONCE
            )
            for each in portion.events:
                sys.stdout.write(each + "\n")
            sys.stdout.flush()
            cursor = portion.next
            if not portion.more:
                await asyncio.sleep(PAUSE_SECONDS)

    run(node, print_on)


def _row(event: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "time", "type", "subject", "data")
    return {name: event[name] for name in names}
