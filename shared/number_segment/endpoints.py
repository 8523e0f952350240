"""Number segments over HTTP, at every node: a number's home, the table, and its editions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from shared.access import Principal, require
from shared.kernel.edge import NodeDatabase, Page, Transaction
from shared.number_segment import repository
from shared.number_segment.edition import Home, Prefix
from shared.number_segment.problems import NumberUnknown
from shared.number_segment.schemas import EditionPage, HomeOut, SegmentPage
from shared.organisation.division import division

router = APIRouter()

Reader = Annotated[Principal, Depends(require("number-segment:read"))]


@router.get("/number-segments", summary="Number segments", response_model=SegmentPage)
async def list_segments(
    *,
    database: NodeDatabase,
    _: Reader,
    page: Page,
    home: Annotated[Home | None, Query(description="Division code of the home city.")] = None,
    prefix: Annotated[Prefix | None, Query(description="Segments that begin so.")] = None,
    in_use: Annotated[
        bool | None, Query(description="`true`: with a home; `false`: nobody's any more.")
    ] = None,
) -> Response:
    """List the segments of the national table, as this node has it."""
    filters = {"home": home, "prefix": prefix, "in_use": in_use}
    body = await repository.SEGMENTS.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.get("/number-segments/{msisdn}", summary="The home of a number")
async def find_home(
    msisdn: Annotated[
        str,
        Path(
            pattern=r"^1[0-9]{6,10}$",
            description="Mobile number, or its first digits, 7 at least.",
            examples=["13800138000"],
        ),
    ],
    session: Transaction,
    _: Reader,
) -> HomeOut:
    """Return the city whose number it is, and the version of the table that says so."""
    version = await repository.version(session)
    home = await repository.home_of(session, msisdn)
    if home is None:
        raise NumberUnknown(msisdn=msisdn, version=version)
    city = division(home)
    names = {"en": city.name_en, "zh": city.name_zh}
    return HomeOut(msisdn=msisdn, home=home, home_name=names, version=version)


@router.get(
    "/number-segment-editions",
    summary="Editions of the number segments",
    response_model=EditionPage,
)
async def list_editions(
    database: NodeDatabase,
    _: Reader,
    page: Page,
    prefix: Annotated[
        Prefix | None, Query(description="Editions that say something of this very segment.")
    ] = None,
) -> Response:
    """List the changes of the national table: who published what, when, and when it came here."""
    body = await repository.EDITIONS.page(await database.pool(), page, {"prefix": prefix})
    return Response(body, media_type="application/json")
