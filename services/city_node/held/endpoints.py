"""What customers hold over HTTP: one collection for each noun, all of one form."""

from dataclasses import replace
from functools import cache
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError, create_model

from services.city_node.customer import profile
from services.city_node.customer.access import AtDesk, Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look
from services.city_node.customer.privacy import (
    SEALED,
    Sight,
    opened,
    seen,
    sight_of,
    visible_columns,
)
from services.city_node.customer.schemas import Body
from services.city_node.held import service
from services.city_node.held.declaration import Held
from services.city_node.held.problems import HeldNotFound
from shared.access import OnceDependency, Principal
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Now, Page
from shared.kernel.listing import PageRequest
from shared.kernel.preconditions import entity_tag

# The annotations of these functions are made for each noun: FastAPI reads them, and a type checker cannot.
# mypy: disable-error-code="valid-type,name-defined"


def router_of(held: Held) -> APIRouter:
    """Return the routes of a noun that customers hold."""
    router = APIRouter(prefix=f"/customers/{{customer_id}}/{held.path}")
    _add_reads(router, held)
    _add_changes(router, held)
    return router


def _add_reads(router: APIRouter, held: Held) -> None:
    @router.get(
        "",
        summary=f"List a customer's {held.name.replace('_', ' ')}",
        description=f"A page of them. Sorts: {', '.join(f'`{name}`' for name in held.sorts)}; `-` before one for descending.",
        responses=documented(page_of(held), 400, 404, 422),
        response_class=Response,
    )
    async def list_held(
        customer_id: UUID,
        principal: Reader,
        context: Context,
        page: Page,
        now: Now,
        filters: Annotated[dict[str, Any], Depends(held.filters)],
    ) -> Response:
        pool = await context.database.pool()
        await profile.require_in_scope(pool, customer_id, principal.unit_path)
        body = await page_in_scope(
            pool, held, principal, page, {"customer": customer_id, **filters}
        )
        await look(context, principal, customer_id, [_shown(held, principal)], now=now)
        return Response(opened(body, context.cipher), media_type=JSON)

    @router.get(
        "/{item}",
        summary=f"Read a customer's {held.title}",
        responses=documented(held.out, 404, 422),
        response_class=Response,
    )
    async def read_held(
        customer_id: UUID, item: UUID, principal: Reader, context: Context, now: Now
    ) -> Response:
        pool = await context.database.pool()
        await profile.require_in_scope(pool, customer_id, principal.unit_path)
        body = await _read(pool, held, principal, customer_id, item)
        await look(context, principal, customer_id, [_shown(held, principal)], now=now)
        return Response(opened(body, context.cipher), media_type=JSON)


def _shown(held: Held, principal: Principal) -> str:
    """Return what of a customer is seen, as the audit log names it."""
    return seen(held.name, held.part.sql, sight_of(principal))


def _add_changes(router: APIRouter, held: Held) -> None:
    patch_body = _patch_of(held)

    @router.post(
        "",
        status_code=201,
        summary=f"Note a customer's {held.title}",
        description="Takes effect once for each `Idempotency-Key`; the answer shows contact values masked.",
        responses=documented(held.out, 400, 404, 409, 422, status=201),
        response_class=Response,
    )
    async def add_held(
        customer_id: UUID, desk: AtDesk, once: OnceDependency, body: held.body
    ) -> Response:
        item, version = await service.add(desk, held, customer_id, body)
        connection = await driver_connection(desk.session)
        return await once.answer(
            201,
            # Kept in the database as it is, so that it may not have what is encrypted there.
            await _read(connection, held, desk.principal, customer_id, item, hidden=SEALED),
            location=f"/customers/{customer_id}/{held.path}/{item}",
            etag=entity_tag(version),
        )

    @router.patch(
        "/{item}",
        summary=f"Change a customer's {held.title}",
        description="A JSON merge patch (RFC 7396), against the customer's ETag.",
        responses=documented(held.out, 400, 404, 409, 412, 422, 428),
        response_class=Response,
    )
    async def change_held(
        customer_id: UUID, item: UUID, desk: AtDesk, expected: ExpectedVersion, body: patch_body
    ) -> Response:
        given: Body = body
        patch = given.model_dump(exclude_unset=True)
        try:
            version = await service.change(
                desk, held, customer_id, item, expected=expected, patch=patch
            )
        except ValidationError as error:
            raise RequestValidationError(
                [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
            ) from error
        connection = await driver_connection(desk.session)
        read = await _read(connection, held, desk.principal, customer_id, item)
        return Response(
            opened(read, desk.cipher), media_type=JSON, headers={"etag": entity_tag(version)}
        )

    if held.removable:

        @router.delete(
            "/{item}",
            status_code=204,
            summary=f"Remove a customer's {held.title}",
            description="Against the customer's ETag; history keeps what it was.",
            responses={
                204: {"description": "Removed."},
                **_without_body(documented(held.out, 400, 404, 412, 422, 428)),
            },
        )
        async def remove_held(
            customer_id: UUID, item: UUID, desk: AtDesk, expected: ExpectedVersion
        ) -> Response:
            version = await service.remove(desk, held, customer_id, item, expected)
            return Response(status_code=204, headers={"etag": entity_tag(version)})


async def page_in_scope(
    pool: asyncpg.Pool,
    held: Held,
    principal: Principal,
    page: PageRequest,
    filters: dict[str, Any],
) -> bytes:
    """Return a page of what one customer holds, as the caller may see it; of several, with contact values masked."""
    hidden = frozenset() if "customer" in filters else SEALED
    return await held.listing.page(
        pool,
        replace(page, sort=page.sort or held.default_sort),
        {"scope": principal.unit_path, **filters},
        columns=visible_columns(held.listing.columns, sight_of(principal) - hidden),
    )


async def _read(
    connection: asyncpg.Connection | asyncpg.Pool,
    held: Held,
    principal: Principal,
    customer_id: UUID,
    item: UUID,
    hidden: Sight = frozenset(),
) -> bytes:
    listing = held.listing
    columns = visible_columns(listing.columns, sight_of(principal) - hidden)
    found: str | None = await connection.fetchval(
        f"SELECT ({listing.item(None, columns)})::text FROM {listing.source} "  # noqa: S608 - declared expressions alone
        "WHERE starts_with(u.path, $1) AND p.customer_id = $2 AND p.id = $3",
        principal.unit_path,
        customer_id,
        item,
    )
    if found is None:
        raise HeldNotFound(customer=customer_id, noun=held.title, item=item, path=held.path)
    return found.encode()


@cache
def page_of(held: Held) -> type[BaseModel]:
    """Return the model of a page of a collection."""
    return create_model(
        f"{held.out.__name__.removesuffix('Out')}Page",
        __doc__=f"A page of {held.name.replace('_', ' ')}.",
        items=(list[held.out], ...),
        next=(str | None, ...),
        count=(int | None, None),
    )


def _patch_of(held: Held) -> type[Body]:
    """Return a body like that of a ``POST`` in which everything may be left out."""
    fields: dict[str, Any] = {}
    for name, given in held.body.model_fields.items():
        kind: Any = (
            Annotated[given.annotation, *given.metadata] if given.metadata else given.annotation
        )
        fields[name] = (
            kind | None,
            Field(default=None, description=given.description, examples=given.examples),
        )
    return create_model(
        f"{held.body.__name__.removesuffix('Create')}Patch",
        __base__=Body,
        __doc__="What is absent stays, and `null` empties.",
        **fields,
    )


def _without_body(answers: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    return {status: answer for status, answer in answers.items() if status != 200}  # noqa: PLR2004
