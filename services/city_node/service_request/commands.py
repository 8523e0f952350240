"""``guanxi request``: where requests are, from the command line."""

import asyncio
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.service_request import repository, trail
from services.city_node.service_request.service import RequestNotFound
from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.kernel.database import Listener
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.kernel.watching import Watchers

app = typer.Typer(help="Requests between cities.", no_args_is_help=True)

EVERY_UNIT = ""
"""The path that every unit's path begins with: whoever runs a command is the node's operator."""

_COLUMNS = "id,kind,role,home,visited,state,awaiting,subject,deadline"


@app.command("show")
def show_request(
    request_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="Id of the request, the same at both ends.")
    ],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Show a request and its trail."""

    async def read(context: NodeContext) -> dict[str, Any]:
        found = await repository.read(
            await context.database.pool(), request_id, unit_path=EVERY_UNIT
        )
        if found is None:
            raise RequestNotFound(id=request_id)
        document: dict[str, Any] = orjson.loads(found.json)
        return document

    request = run(node, read)
    if json:
        show(request, json=True)
        return
    trail = request.pop("trail")
    show(request, json=False, title=f"Request {request_id} at node {node}")
    show(
        [{**entry, "note": f"{entry['note']['en']} {entry['note']['zh']}"} for entry in trail],
        json=False,
        title="Trail",
    )


@app.command("follow")
def follow_request(
    request_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="Id of the request, the same at both ends.")
    ],
    node: NodeOption,
    after: Annotated[
        int, typer.Option(min=0, help="Place of the last line that is known already.")
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Print each line of a request's trail as it comes, until the request has ended."""

    async def act(context: NodeContext) -> None:
        pool = await context.database.pool()
        watchers = Watchers()
        listener = Listener(
            context.database.url, (trail.CHANNEL,), lambda _, key: watchers.wake(key)
        )

        async def look_after(place: int) -> trail.Look | None:
            return await trail.look(pool, request_id, unit_path=EVERY_UNIT, after=place)

        if await look_after(after) is None:
            raise RequestNotFound(id=request_id)
        with watchers.watch(str(request_id)) as watch:
            listening = asyncio.create_task(listener.run())
            try:
                wait = partial(watch.wait, trail.LOOK_AGAIN)
                async for found in trail.follow(look_after, wait, after):
                    _print(found, json=json)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    run(node, act)


def _print(found: trail.Line | trail.Look, *, json: bool) -> None:
    if isinstance(found, trail.Look):
        end = orjson.dumps({"state": found.state, "ended": True}).decode()
        typer.echo(end if json else f"Ended: {found.state}")
    elif json:
        typer.echo(found.json)
    else:
        entry = orjson.loads(found.json)
        note = entry["note"]
        typer.echo(f"{entry['at']}  {entry['node']}  {entry['event']}: {note['en']} {note['zh']}")


@app.command("list")
def list_requests(
    node: NodeOption,
    kind: Annotated[
        str | None, typer.Option(help="Only this kind, such as card-replacement.")
    ] = None,
    state: Annotated[str | None, typer.Option(help="Only this state, such as approved.")] = None,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only those that have not ended.")
    ] = False,
    attention: Annotated[
        bool, typer.Option("--attention", help="Only those that call for a person.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most requests to show, newest first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List the node's requests, newest first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        filters = {
            "kind": kind,
            "state": state,
            "open": open_only or None,
            "attention": attention or None,
        }
        page = PageRequest(limit=limit, sort="-created_at", fields=_COLUMNS)
        body = await repository.LISTING.page(await context.database.pool(), page, filters)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Requests at node {node}")
