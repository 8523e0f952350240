"""Declarations over HTTP."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Response
from sqlalchemy import select

from services.city_node.custom_attribute.models import CustomAttribute
from services.city_node.custom_attribute.schemas import (
    CustomAttributeList,
    CustomAttributeOut,
    CustomAttributeWrite,
    Name,
)
from services.city_node.custom_attribute.service import declare, declared, withdraw
from shared.access import CurrentPrincipal, Principal, require
from shared.kernel.edge import ExpectedVersion, Now, Transaction
from shared.kernel.preconditions import entity_tag, expected_version

MANAGE = "custom_attribute:manage"
router = APIRouter(prefix="/custom-attributes")
Manager = Annotated[Principal, Depends(require(MANAGE))]
AttributeName = Annotated[Name, Path(examples=["contract_clerk"])]


@router.get("", summary="List custom attributes")
async def list_custom_attributes(_: CurrentPrincipal, session: Transaction) -> CustomAttributeList:
    """Return every attribute that the node declares, by name."""
    found = await session.scalars(select(CustomAttribute).order_by(CustomAttribute.name))
    return CustomAttributeList(items=[CustomAttributeOut.model_validate(each) for each in found])


@router.get("/{name}", summary="Read a custom attribute")
async def read_custom_attribute(
    name: AttributeName, _: CurrentPrincipal, session: Transaction, response: Response
) -> CustomAttributeOut:
    """Return one declaration, with its ETag."""
    return _answer(await declared(session, name), response)


@router.put(
    "/{name}",
    summary="Declare a custom attribute",
    responses={201: {"model": CustomAttributeOut, "description": "Declared anew."}},
)
async def declare_custom_attribute(
    name: AttributeName,
    body: CustomAttributeWrite,
    principal: Manager,
    session: Transaction,
    now: Now,
    response: Response,
    if_match: Annotated[
        str | None, Header(description="ETag of the declaration that is replaced.")
    ] = None,
) -> CustomAttributeOut:
    """Declare an attribute, or replace its declaration against its ETag. Profiles do not change."""
    expected = None if if_match is None else await expected_version(if_match)
    found, new = await declare(
        session, name, body, expected=expected, by=principal.username, now=now
    )
    if new:
        response.status_code = 201
        response.headers["location"] = f"/custom-attributes/{quote(name)}"
    return _answer(found, response)


@router.delete("/{name}", status_code=204, summary="Withdraw a custom attribute")
async def withdraw_custom_attribute(
    name: AttributeName, _: Manager, expected: ExpectedVersion, session: Transaction
) -> None:
    """Remove a declaration against its ETag; the values stay in the profiles, and are open again."""
    await withdraw(session, name, expected)


def _answer(found: CustomAttribute, response: Response) -> CustomAttributeOut:
    response.headers["etag"] = entity_tag(found.version)
    return CustomAttributeOut.model_validate(found)
