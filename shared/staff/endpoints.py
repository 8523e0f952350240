"""Staff over HTTP."""

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Response

from shared.access import Authenticated, NodeGrants, Principal, Tokens, require
from shared.capability import Role
from shared.kernel.edge import ExpectedVersion, NodeDatabase, NodeSettings, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag
from shared.kernel.problems import Fault
from shared.organisation.schemas import UnitCode
from shared.staff import repository
from shared.staff.management import Staff
from shared.staff.models import StaffKind
from shared.staff.oauth_endpoints import SigningIn
from shared.staff.problems import PresentPasswordWrong, StaffMemberNotFound
from shared.staff.schemas import (
    NewStaffMember,
    PasswordChange,
    PasswordSetting,
    SelfOut,
    StaffChangePage,
    StaffMemberChange,
    StaffMemberOut,
    StaffPage,
)

router = APIRouter(prefix="/staff")

Reader = Annotated[Principal, Depends(require("staff:read"))]
Keeper = Annotated[Principal, Depends(require("staff:manage"))]
Fields = Annotated[
    str | None,
    Query(description="Fields to return, separated by commas.", examples=["id,display_name"]),
]


def staff_of(
    principal: Keeper,
    session: Transaction,
    settings: NodeSettings,
    tokens: Tokens,
    now: Now,
    grants: NodeGrants,
) -> Staff:
    """Return the accounts as the request's principal may manage them."""
    return Staff(session, principal, settings.tier, tokens, now, grants)


def own_account_of(
    principal: Authenticated,
    session: Transaction,
    settings: NodeSettings,
    tokens: Tokens,
    now: Now,
    grants: NodeGrants,
) -> Staff:
    """Return the accounts for one who changes nothing but their own."""
    return Staff(session, principal, settings.tier, tokens, now, grants)


Managing = Annotated[Staff, Depends(staff_of)]
OwnAccountOnly = Annotated[Staff, Depends(own_account_of)]


@router.get("/me", summary="Who you are, and what you may do")
async def read_self(database: NodeDatabase, principal: Authenticated) -> SelfOut:
    """Return the account that is signed in, its data scope and what its token allows."""
    pool = await database.pool()
    found = await repository.read(pool, principal.id, scope=principal.unit_path)
    if found is None:
        raise StaffMemberNotFound(id=principal.id)
    return SelfOut(
        **orjson.loads(found.json),
        unit_path=principal.unit_path,
        permissions=sorted(principal.permissions),
    )


@router.post("/me/password", summary="Change your own password", status_code=204)
async def change_own_password(
    change: PasswordChange, principal: Authenticated, sign_in: SigningIn, staff: OwnAccountOnly
) -> None:
    """Change the password of the account that is signed in. Every session of it ends, this one too."""
    present = change.present.get_secret_value()
    if await sign_in.prove(principal.username, present) is None:
        raise PresentPasswordWrong(faults=[Fault("/present", "wrong")])
    await staff.set_own_password(change.password.get_secret_value())


@router.get("", summary="Staff in your scope", response_model=StaffPage)
async def list_staff(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    username: Annotated[
        str | None, Query(description="Username, in any case.", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    ] = None,
    kind: Annotated[StaffKind | None, Query(description="Person or service.")] = None,
    role: Annotated[Role | None, Query(description="Role.")] = None,
    unit: Annotated[
        UnitCode | None, Query(description="Code of the unit.", examples=["440300-01"])
    ] = None,
    within: Annotated[
        UnitCode | None, Query(description="Code of a unit; it and all below.", examples=["440300"])
    ] = None,
    active: Annotated[
        bool | None, Query(description="`true`: may sign in; `false`: disabled.")
    ] = None,
) -> Response:
    """List the staff of the caller's own unit and those below it, by username unless sorted otherwise."""
    filters = {
        "scope": principal.unit_path,
        "username": username,
        "kind": kind,
        "role": role,
        "unit": unit,
        "within": within,
        "active": active,
    }
    body = await repository.STAFF.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.get("/{staff_id}", summary="A member of staff", response_model=StaffMemberOut)
async def read_member(
    staff_id: UUID, database: NodeDatabase, principal: Reader, fields: Fields = None
) -> Response:
    """Return a member of staff of the caller's scope, with its ETag."""
    pool = await database.pool()
    found = await repository.read(pool, staff_id, scope=principal.unit_path, fields=fields)
    if found is None:
        raise StaffMemberNotFound(id=staff_id)
    headers = {"ETag": entity_tag(found.version)}
    return Response(found.json, media_type="application/json", headers=headers)


@router.get(
    "/{staff_id}/changes", summary="What was done to an account", response_model=StaffChangePage
)
async def list_changes(
    staff_id: UUID, database: NodeDatabase, principal: Reader, page: Page
) -> Response:
    """List who changed an account of the caller's scope, when, and what was before, oldest first."""
    pool = await database.pool()
    if await repository.read(pool, staff_id, scope=principal.unit_path, fields="id") is None:
        raise StaffMemberNotFound(id=staff_id)
    body = await repository.CHANGES.page(pool, page, {"staff": staff_id})
    return Response(body, media_type="application/json")


@router.post("", summary="Make an account", status_code=201)
async def create_member(new: NewStaffMember, staff: Managing, response: Response) -> StaffMemberOut:
    """Make an account for a person or a program, within what the caller manages."""
    member = await staff.create(new)
    response.headers["Location"] = f"/staff/{member.id}"
    response.headers["ETag"] = entity_tag(member.version)
    return StaffMemberOut.model_validate(member)


@router.patch("/{staff_id}", summary="Change, disable or enable an account")
async def change_member(
    staff_id: UUID,
    change: StaffMemberChange,
    staff: Managing,
    expected: ExpectedVersion,
    response: Response,
) -> StaffMemberOut:
    """Change an account; needs `If-Match`. Another role, unit or state ends its sessions at once."""
    member = await staff.change(staff_id, change, expected)
    response.headers["ETag"] = entity_tag(member.version)
    return StaffMemberOut.model_validate(member)


@router.post("/{staff_id}/password", summary="Set somebody's password", status_code=204)
async def set_password(staff_id: UUID, setting: PasswordSetting, staff: Managing) -> None:
    """Give an account a new password. Its sessions end at once, and a delay after wrong passwords too."""
    await staff.set_password(staff_id, setting.password.get_secret_value())
