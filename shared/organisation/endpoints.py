"""Organisation units over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from shared.access import Principal, require
from shared.kernel.edge import ExpectedVersion, NodeDatabase, NodeSettings, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag
from shared.organisation import repository
from shared.organisation.models import UnitKind
from shared.organisation.schemas import NewUnit, UnitChange, UnitCode, UnitOut, UnitPage
from shared.organisation.service import Organisation, UnitNotFound

router = APIRouter(prefix="/organisation/units")

Reader = Annotated[Principal, Depends(require("organisation:read"))]
Keeper = Annotated[Principal, Depends(require("organisation:manage"))]


def organisation_of(
    principal: Keeper, session: Transaction, settings: NodeSettings, now: Now
) -> Organisation:
    """Return the tree as the request's principal may change it."""
    return Organisation(session, settings.code, principal, now)


Changing = Annotated[Organisation, Depends(organisation_of)]


@router.get("", summary="Organisation units in your scope", response_model=UnitPage)
async def list_units(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    kind: Annotated[UnitKind | None, Query(description="Kind of unit.")] = None,
    parent: Annotated[
        UnitCode | None, Query(description="Code of the unit directly above.", examples=["440000"])
    ] = None,
    active: Annotated[bool | None, Query(description="`true`: in use; `false`: closed.")] = None,
    within: Annotated[
        UnitCode | None, Query(description="Code of a unit; it and all below.", examples=["440300"])
    ] = None,
) -> Response:
    """List the caller's own unit and those below it, each after its parent unless sorted otherwise."""
    filters = {
        "scope": principal.unit_path,
        "kind": kind,
        "parent": parent,
        "active": active,
        "within": within,
    }
    body = await repository.LISTING.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.get("/{code}", summary="An organisation unit", response_model=UnitOut)
async def read_unit(
    code: UnitCode,
    database: NodeDatabase,
    principal: Reader,
    fields: Annotated[
        str | None,
        Query(description="Fields to return, separated by commas.", examples=["code,name_zh"]),
    ] = None,
) -> Response:
    """Return one unit of the caller's scope, with its ETag."""
    pool = await database.pool()
    found = await repository.read(pool, code, scope=principal.unit_path, fields=fields)
    if found is None:
        raise UnitNotFound(code=code)
    headers = {"ETag": entity_tag(found.version)}
    return Response(found.json, media_type="application/json", headers=headers)


@router.post("", summary="Make a team or hall", status_code=201)
async def create_unit(new: NewUnit, organisation: Changing, response: Response) -> UnitOut:
    """Make a team or hall of this node."""
    unit = await organisation.create(new)
    response.headers["Location"] = f"/organisation/units/{unit.code}"
    response.headers["ETag"] = entity_tag(unit.version)
    return UnitOut.model_validate(unit)


@router.patch("/{code}", summary="Rename, close or open a team or hall")
async def change_unit(
    code: UnitCode,
    change: UnitChange,
    organisation: Changing,
    expected: ExpectedVersion,
    response: Response,
) -> UnitOut:
    """Change a team or hall of this node; needs `If-Match`."""
    unit = await organisation.change(code, change, expected)
    response.headers["ETag"] = entity_tag(unit.version)
    return UnitOut.model_validate(unit)
