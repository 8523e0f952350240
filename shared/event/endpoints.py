"""Events over HTTP: read on from where one was."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from shared.capability import Context
from shared.event import service
from shared.event.access import Reader
from shared.event.repository import Wanted
from shared.event.schemas import EventPage

router = APIRouter(prefix="/events")

MOST = 1000
LATEST = "latest"


@router.get("", summary="Events after a cursor", response_model=EventPage)
async def read_events(
    principal: Reader,
    context: Context,
    after: Annotated[
        str | None,
        Query(
            pattern=rf"^([0-9]{{1,18}}|{LATEST})$",
            description=f"The `next` of the answer before; `{LATEST}` for what happens from now on; all that is kept without it.",
            examples=["4711"],
        ),
    ] = None,
    of_types: Annotated[
        list[Annotated[str, Query(pattern=r"^guanxi\.[a-z.0-9-]+$", max_length=100)]] | None,
        Query(
            alias="type",
            max_length=50,
            description="Only this type; may be repeated.",
            examples=[["guanxi.level.changed.v1"]],
        ),
    ] = None,
    subject: Annotated[
        str | None,
        Query(max_length=200, pattern=r"^/", description="Only what is about this path."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Most events to return.")] = 100,
) -> Response:
    """Return what happened in the caller's units and to the whole node, oldest first, each event once."""
    pool = await context.database.pool()
    if after == LATEST:
        portion = service.Portion([], await service.latest(pool), more=False)
    else:
        wanted = Wanted(principal.unit_path, of_types, subject)
        cursor = None if after is None else int(after)
        code = context.settings.code
        portion = await service.read_after(pool, code, wanted, after=cursor, limit=limit)
    body = (
        f'{{"items": [{",".join(portion.events)}], "next": "{portion.next}", '
        f'"more": {"true" if portion.more else "false"}}}'
    )
    return Response(body, media_type="application/json")
