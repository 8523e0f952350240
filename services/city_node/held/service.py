"""Changing what customers hold: one way for all of it."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError

from services.city_node.customer.history import differences, plain
from services.city_node.customer.identity import SealedContact, contact_indexes, seal_contact
from services.city_node.customer.models import ERASED, ChangeAction, Customer, CustomerKind
from services.city_node.customer.repository import hold_keys
from services.city_node.customer.schemas import Body
from services.city_node.customer.service import Desk
from services.city_node.held.declaration import Held
from services.city_node.held.problems import (
    HeldNotFound,
    RelatedCustomerUnknown,
    WrongKindOfCustomer,
)
from shared.kernel.database import Base
from shared.kernel.ids import new_id
from shared.organisation.models import OrganisationUnit


async def add(desk: Desk, held: Held, customer_id: UUID, body: Body) -> tuple[UUID, int]:
    """Note something that a customer holds; return its id and the customer's new version.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        WrongKindOfCustomer: if it is kept for the other kind (409).
        Problem: what the noun's own rules refuse.
    """
    customer = await desk.locked(customer_id)
    if held.holder is not None and customer.kind != held.holder:
        raise WrongKindOfCustomer(
            noun=held.title,
            wanted=held.holder.value,
            customer=customer.customer_number,
            kind=customer.kind,
        )
    row = held.model(
        id=new_id(), customer_id=customer.id, **body.model_dump(exclude=set(held.private))
    )
    await _seal(desk, held, row, body)
    if held.check is not None:
        await held.check(desk, customer, row)
    desk.session.add(row)
    async with refused_as(held):
        await desk.keep(customer, ChangeAction.PART_ADDED, _changed(held, row, {}))
    return _id(row), customer.version


async def change(
    desk: Desk,
    held: Held,
    customer_id: UUID,
    item: UUID,
    *,
    expected: int,
    patch: Mapping[str, Any],
) -> int:
    """Change what ``patch`` names; return the customer's version after it.

    Raises:
        CustomerNotFound, HeldNotFound: if there is no such thing in the caller's scope (404).
        VersionStale: if the customer was changed since version ``expected`` (412).
        ValidationError: if what it would become is no valid body.
        Problem: what the noun's own rules refuse.
    """
    customer = await desk.locked(customer_id, expected)
    row = await _held_by(desk, held, customer, item)
    before = _shown(held, row)
    body = held.body.model_validate({**_clear(desk, held, row), **patch})
    for name, value in body.model_dump(exclude=set(held.private)).items():
        setattr(row, name, value)
    await _seal(desk, held, row, body)
    if held.check is not None:
        await held.check(desk, customer, row)
    changes = _changed(held, row, before)
    if changes:
        async with refused_as(held):
            await desk.keep(customer, ChangeAction.PART_CHANGED, changes)
    return customer.version


async def remove(desk: Desk, held: Held, customer_id: UUID, item: UUID, expected: int) -> int:
    """Remove something that a customer held; history keeps what it was. Return the customer's new version.

    Raises:
        CustomerNotFound, HeldNotFound: if there is no such thing in the caller's scope (404).
        VersionStale: if the customer was changed since version ``expected`` (412).
    """
    customer = await desk.locked(customer_id, expected)
    row = await _held_by(desk, held, customer, item)
    before = _shown(held, row)
    await desk.session.delete(row)
    await desk.keep(customer, ChangeAction.PART_REMOVED, differences(before, {}))
    return customer.version


async def require_customer(
    desk: Desk, customer_id: UUID, pointer: str, *, kind: CustomerKind | None = None
) -> None:
    """Refuse unless ``customer_id`` is a customer that the caller's unit may see.

    Raises:
        RelatedCustomerUnknown: if it is not (422).
    """
    conditions = [
        Customer.id == customer_id,
        Customer.library != ERASED,
        OrganisationUnit.code == Customer.unit_code,
        func.starts_with(OrganisationUnit.path, desk.principal.unit_path),
    ]
    if kind is not None:
        conditions.append(Customer.kind == kind.value)
    if not await desk.session.scalar(select(exists().where(*conditions))):
        raise RelatedCustomerUnknown(pointer, customer_id, kind)


@contextlib.asynccontextmanager
async def refused_as(held: Held) -> AsyncIterator[None]:
    """Turn the breach of one of the noun's unique constraints into its refusal."""
    try:
        yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
        refusal = held.refusals.get(constraint or "")
        if refusal is None:
            raise
        raise refusal() from error


async def _held_by(desk: Desk, held: Held, customer: Customer, item: UUID) -> Base:
    row = await desk.session.get(held.model, item)
    if row is None or row.customer_id != customer.id:  # type: ignore[attr-defined] # every such table has it
        raise HeldNotFound(customer=customer.id, noun=held.title, item=item, path=held.path)
    for name, kind in held.private.items():
        clear = getattr(row, name)
        if clear is not None:  # as an earlier release kept it
            _keep_sealed(row, name, seal_contact(desk.cipher, kind, clear))
    return row


def _id(row: Any) -> UUID:
    found: UUID = row.id
    return found


def _clear(desk: Desk, held: Held, row: Any) -> dict[str, Any]:
    """Return a row's values as a body has them, sealed ones opened."""
    values = held.values(row)
    for name in held.private:
        stored = getattr(row, f"{name}_cipher")
        if stored is not None:
            values[name] = desk.cipher.decrypt(stored)
    return values


async def _seal(desk: Desk, held: Held, row: Any, body: Body) -> None:
    """Keep the private values of ``body``; one that is the same stays as it was sealed."""
    if held.private:
        await hold_keys(desk.session)
    for name, kind in held.private.items():
        value = getattr(body, name)
        if value is None:
            _keep_sealed(row, name, None)
        elif getattr(row, f"{name}_index") not in contact_indexes(desk.cipher, kind, value):
            _keep_sealed(row, name, seal_contact(desk.cipher, kind, value))


def _keep_sealed(row: Any, name: str, sealed: SealedContact | None) -> None:
    setattr(row, name, None)
    for column in ("cipher", "index", "masked"):
        setattr(row, f"{name}_{column}", getattr(sealed, column) if sealed else None)


def _shown(held: Held, row: Any) -> dict[str, Any]:
    """Return a row's values as history compares them: private ones by the whole, shown masked."""
    values: dict[str, Any] = {}
    for name, value in held.values(row).items():
        if name in held.private:
            masked = getattr(row, f"{name}_masked")
            index = getattr(row, f"{name}_index")
            values[name] = None if masked is None else (masked, index)
        else:
            values[name] = plain(value)
    return held.history(_id(row), values)


def _changed(held: Held, row: Any, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    after = {
        name: value for name, value in _shown(held, row).items() if before or value is not None
    }
    return differences(before, after)
