"""``guanxi segment``: target groups from the command line."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.segment import repository
from services.city_node.segment.models import Segment
from services.city_node.segment.schemas import NewSegment
from services.city_node.segment.service import Segments, shown
from shared.capability import NodeContext, Requester
from shared.commandline import JsonOption, NodeOption, operator_name, run, show
from shared.kernel.ids import new_id
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.organisation.service import ensure_divisions

app = typer.Typer(
    help="Target groups of customers: living conditions or fixed lists.", no_args_is_help=True
)

EVERY_UNIT = ""
SegmentId = Annotated[UUID, typer.Argument(metavar="ID", help="Id of the segment.")]


@app.command("list")
def list_segments(
    node: NodeOption,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most to show.")] = 50,
    json: JsonOption = False,
) -> None:
    """List the segments of a city."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, sort="name")
        body = await repository.LISTING.page(await context.database.pool(), page, {})
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Segments at node {node}")


@app.command("create")
def create_segment(
    name: Annotated[str, typer.Argument(help="Name of the segment.")],
    condition: Annotated[str, typer.Argument(help="Condition in its text form.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Keep a condition as a living segment of the city."""

    async def create(segments: Segments) -> Segment:
        return await segments.create(new_id(), NewSegment(name=name, condition=condition))

    _act(node, create, json=json)


@app.command("show")
def show_segment(segment_id: SegmentId, node: NodeOption, json: JsonOption = False) -> None:
    """Show a segment with its condition."""

    async def read(segments: Segments) -> Segment:
        return (await segments.find(segment_id))[0]

    _act(node, read, json=json)


@app.command("lock")
def lock_segment(
    segment_id: SegmentId,
    node: NodeOption,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Make the list of a locked segment anew.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a fixed list of those who meet the condition now."""

    async def lock(segments: Segments) -> Segment:
        segment, _ = await segments.find(segment_id)
        act = segments.refresh if refresh else segments.lock
        return await act(segment_id, segment.version)

    _act(node, lock, json=json)


@app.command("unlock")
def unlock_segment(segment_id: SegmentId, node: NodeOption, json: JsonOption = False) -> None:
    """Let a locked segment live again."""

    async def unlock(segments: Segments) -> Segment:
        segment, _ = await segments.find(segment_id)
        return await segments.unlock(segment_id, segment.version)

    _act(node, unlock, json=json)


def _act(node: str, act: Callable[[Segments], Awaitable[Segment]], *, json: bool) -> None:
    async def work(context: NodeContext) -> dict[str, Any]:
        await ensure_divisions(context)  # the node may never have run
        operator = Requester(operator_name(), None, context.settings.code, None)
        async with context.database.transaction() as session:
            segments = Segments(session, operator, EVERY_UNIT, context.cipher, context.clock.now())
            return shown(await act(segments)).model_dump(mode="json")

    show(run(node, work), json=json, title="Segment")
