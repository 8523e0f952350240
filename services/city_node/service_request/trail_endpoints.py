"""A request's trail over HTTP: by polling, and as server-sent events.

A stream is held to what any other answer is: before each look it is asked again whether the token still holds and the
request still belongs to the caller's units, so it ends when the token expires, and the front end comes back with a new
one and ``Last-Event-ID``. It also ends with the request, after an event ``end``; when the node is told to end; and when
nobody listens. The framework sends a comment every 15 seconds, so that proxies keep the connection.
"""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.city_node.service_request import trail
from services.city_node.service_request.schemas import TrailPage
from services.city_node.service_request.service import RequestNotFound
from services.city_node.service_request.trail import CHANNEL, LOOK_AGAIN, Line, Look
from shared.access import Principal, require
from shared.capability import Context
from shared.kernel.edge import NodeDatabase
from shared.kernel.language import Text
from shared.kernel.problems import Problem
from shared.kernel.watching import Watch, Watchers

router = APIRouter(prefix="/service-requests")

MOST_STREAMS = 500
"""Streams that one process of the node holds; each is a task and a socket, and a look every half minute."""

READER = require("service-request:read")
Reader = Annotated[Principal, Depends(READER)]
After = Annotated[
    int, Query(ge=0, le=2**63 - 1, description="Place of the last line that is known already.")
]


class TooManyStreams(Problem):
    """This process of the node holds as many streams as it can."""

    status = 503
    title = Text("Too many streams", "实时连接过多")
    sentence = Text(
        "This node holds {most} trails open already: poll `GET /service-requests/{id}/trail?after=`, or try again after Retry-After seconds.",
        "本节点实时轨迹连接已达 {most} 个上限：请改用 GET /service-requests/{id}/trail?after= 轮询，或在 Retry-After 秒后重试。",
    )


def watchers_of(request: Request) -> Watchers:
    """Return those of this process who wait for trails."""
    watchers: Watchers = request.app.state.watchers[CHANNEL]
    return watchers


@router.get("/{request_id}/trail", summary="The lines of a trail", response_model=TrailPage)
async def read_trail(
    request_id: UUID, database: NodeDatabase, principal: Reader, after: After = 0
) -> Response:
    """Return the lines past a place, to be asked again with the place of the last."""
    found = await trail.look(
        await database.pool(), request_id, unit_path=principal.unit_path, after=after
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    return Response(found.document(after), media_type="application/json")


async def held(
    request_id: UUID, request: Request, database: NodeDatabase, principal: Reader
) -> AsyncIterator[Watch]:
    """Watch the request for as long as its stream is held.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        TooManyStreams: if this process holds as many as it can (503).
    """
    watchers = watchers_of(request)
    if len(watchers) >= MOST_STREAMS:
        raise TooManyStreams(headers={"Retry-After": "5"}, most=MOST_STREAMS, id=request_id)
    with watchers.watch(str(request_id)) as watch:
        pool = await database.pool()
        if await trail.look(pool, request_id, unit_path=principal.unit_path) is None:
            raise RequestNotFound(id=request_id)
        yield watch


@router.get(
    "/{request_id}/trail/stream",
    summary="A trail as it grows",
    response_class=EventSourceResponse,
)
async def stream_trail(
    *,
    request_id: UUID,
    request: Request,
    context: Context,
    watch: Annotated[Watch, Depends(held, scope="request")],
    after: After = 0,
    last_event_id: Annotated[
        int | None,
        Header(
            ge=0, le=2**63 - 1, description="Id of the last event that came: goes before `after`."
        ),
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Send each line as an event `trail` whose id is its place, and an event `end` when the request has ended."""
    watchers = watchers_of(request)

    async def look_after(place: int) -> Look | None:
        request.state.now = context.clock.now()
        try:
            principal = await READER(request)
        except Problem:
            return None
        pool = await context.database.pool()
        found = await trail.look(pool, request_id, unit_path=principal.unit_path, after=place)
        over = watchers.stopping and found is not None and not found.lines
        return None if over else found

    async def wait() -> None:
        if not watchers.stopping:
            await watch.wait(LOOK_AGAIN)

    async for found in trail.follow(look_after, wait, last_event_id or after):
        if isinstance(found, Line):
            yield ServerSentEvent(event="trail", id=str(found.id), raw_data=found.json)
        else:
            yield ServerSentEvent(
                event="end", raw_data=orjson.dumps({"state": found.state}).decode()
            )
