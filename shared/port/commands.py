"""``guanxi port``: the node's ports, and what was asked of them, from the command line."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from shared import audit
from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, operator_name, run, show
from shared.federation.notices import speakable
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.port import repository
from shared.port.mending import Mending
from shared.port.models import CallState, PortCall
from shared.port.schemas import CallOut
from shared.port.status import status

app = typer.Typer(
    help="Systems outside: how they are, and calls that wait for a person.", no_args_is_help=True
)

CallId = Annotated[
    UUID, typer.Argument(metavar="ID", help="Id of the call, as `guanxi port calls` shows.")
]
_COLUMNS = "id,port,effect,state,attempts,created_at,last_error,discard_proposed_by"


@app.command("list")
def list_ports(node: NodeOption, json: JsonOption = False) -> None:
    """Show each port: off, up or down, what waits, and what was handed over to people."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        async with context.database.transaction() as session:
            ports = await status(session, context.settings, now=context.clock.now())
        return [each.model_dump(mode="json", exclude=None if json else {"title"}) for each in ports]

    show(run(node, read), json=json, title=f"Ports of node {node}")


@app.command("calls")
def calls(
    node: NodeOption,
    port: Annotated[str | None, typer.Option(help="Only those of this port.")] = None,
    state: Annotated[
        CallState, typer.Option(help="What became of them so far.")
    ] = CallState.HANDED_OVER,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most to show.")] = 50,
    json: JsonOption = False,
) -> None:
    """List calls of ports, those that wait for a person unless asked otherwise."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, fields=None if json else _COLUMNS)
        filters = {"port": port, "state": state}
        body = await repository.LISTING.page(await context.database.pool(), page, filters)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Calls at node {node}")


@app.command("retry")
def retry(call_id: CallId, node: NodeOption, json: JsonOption = False) -> None:
    """Send a refused call again, once what it was refused for has been mended at the port."""
    show(_mend(node, lambda mending: mending.retry(call_id)), json=json)


@app.command("discard")
def discard(
    call_id: CallId,
    node: NodeOption,
    reason: Annotated[str, typer.Option("--reason", help="Why it is given up.")],
    json: JsonOption = False,
) -> None:
    """Propose to give a call up; a second person approves."""
    why = speakable(reason.strip())
    if not why:
        raise typer.BadParameter("Say why the call is given up.", param_hint="--reason")
    show(_mend(node, lambda mending: mending.propose_discard(call_id, why)), json=json)


@app.command("approve")
def approve(call_id: CallId, node: NodeOption, json: JsonOption = False) -> None:
    """Give a call up as somebody else proposed; what waits behind it goes on."""
    show(_mend(node, lambda mending: mending.approve_discard(call_id)), json=json)


def _mend(node: str, act: Callable[[Mending], Awaitable[PortCall]]) -> dict[str, Any]:
    actor = audit.Actor.command(operator_name())

    async def work(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            call = await act(Mending(session, actor, context.clock.now()))
            return CallOut.model_validate(call).model_dump(mode="json")

    return run(node, work)
