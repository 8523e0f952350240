"""The rules of making and changing a customer; leaving and returning are in ``lifecycle``, lines in ``holdings``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.custom_attribute.declarations import declarations
from services.city_node.customer import repository
from services.city_node.customer.audited import record_change
from services.city_node.customer.history import Changes, change_row, creation, differences, snapshot
from services.city_node.customer.identity import document_indexes, seal_document
from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    Customer,
    CustomerKind,
    Library,
)
from services.city_node.customer.naming import name_sort
from services.city_node.customer.problems import (
    DatesContradict,
    DocumentTaken,
    ManagerUnknown,
    UnitOutOfScope,
)
from services.city_node.customer.schemas import CustomerCreate, CustomerPatch
from shared import audit
from shared.access import Principal
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.preconditions import require_version


@dataclass(frozen=True, slots=True)
class Desk:
    """Who changes customers, when, and in which transaction.

    Attributes:
        session: the transaction.
        principal: who.
        now: when.
        cipher: the node's keys for personal numbers.
        node: the node's division code, with which customer numbers begin.
        strict: whether attributes that the node does not declare are refused.
        cause_id: what the history names as the cause of the changes, such as an approved proposal.
    """

    session: AsyncSession
    principal: Principal
    now: datetime
    cipher: Cipher
    node: str
    strict: bool = False
    cause_id: UUID | None = None

    @property
    def today(self) -> date:
        """The business day."""
        return self.now.astimezone(BUSINESS_ZONE).date()

    async def locked(self, customer_id: UUID, expected: int | None = None) -> Customer:
        """Return a customer of the caller's scope, locked, at the version that is expected."""
        customer = await repository.lock_customer(
            self.session, customer_id, self.principal.unit_path
        )
        if expected is not None:
            require_version(customer.version, expected)
        return customer

    async def keep(self, customer: Customer, action: ChangeAction, changes: Changes) -> None:
        """Write a change with its history and its audit record."""
        # Written before the history refers to it, and so that a number in use is refused here.
        row = change_row(
            customer,
            action,
            changes,
            at=self.now,
            by=self.principal.username,
            source=ChangeSource.REST,
            cause_id=self.cause_id,
        )
        await repository.write(self.session)
        repository.add(self.session, row)
        actor = audit.Actor.of(self.principal)
        record_change(self.session, actor, action, customer.id, changes, at=self.now)
        await repository.write(self.session)


async def create_customer(desk: Desk, body: CustomerCreate) -> UUID:
    """Make a customer and return its id.

    Raises:
        DocumentTaken: if another customer of the city has the document (409).
        UnitOutOfScope: if the unit is not at or below the caller's (422).
        ManagerUnknown: if the manager is nobody on the node's staff (422).
        DatesContradict: if a date lies in the future (422).
        AttributesRefused: if attributes do not fit what the node declares (422).
    """
    values = body.model_dump(exclude={"document_type", "document_number"})
    values["unit_code"] = body.unit_code or desk.principal.unit
    values["entry_date"] = body.entry_date or desk.today
    customer = Customer(
        id=new_id(),
        customer_number=await repository.next_customer_number(desk.session, desk.node),
        library=Library.IN_NETWORK.value,
        name_sort=name_sort(body.name, person=body.kind == CustomerKind.INDIVIDUAL),
        monthly_charge_fen=0,
        total_charge_fen=0,
        version=1,
        created_at=desk.now,
        created_by=desk.principal.username,
        **values,
    )
    await _check_unit(desk, customer.unit_code)
    await _check_manager(desk, customer.manager_id)
    _check_days(desk, customer)
    await _check_attributes(desk, customer, customer.attributes)
    await _set_document(desk, customer, body.document_type, body.document_number)
    repository.add(desk.session, customer)
    await desk.keep(customer, ChangeAction.CREATED, creation(snapshot(customer)))
    return customer.id


async def change_customer(
    desk: Desk, customer_id: UUID, expected: int, patch: CustomerPatch
) -> Changes:
    """Change what ``patch`` names, and return it; no version passes, if it is so already.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since version ``expected`` (412).
        DocumentTaken, UnitOutOfScope, ManagerUnknown, DatesContradict, AttributesRefused: as :func:`create_customer`.
    """
    customer = await desk.locked(customer_id, expected)
    before = snapshot(customer)
    values = patch.model_dump(exclude_unset=True)
    if "document_type" in values:
        await _set_document(
            desk, customer, values.pop("document_type"), values.pop("document_number")
        )
    if "attributes" in values:
        await _check_attributes(desk, customer, values["attributes"])
        values["attributes"] = merge_patch(customer.attributes, values["attributes"])
    for name, value in values.items():
        setattr(customer, name, value)
    if "unit_code" in values:
        await _check_unit(desk, customer.unit_code)
    if "manager_id" in values:
        await _check_manager(desk, customer.manager_id)
    if "name" in values:
        customer.name_sort = name_sort(
            customer.name, person=customer.kind == CustomerKind.INDIVIDUAL
        )
    _check_days(desk, customer)
    changes = differences(before, snapshot(customer))
    if changes:
        await desk.keep(customer, ChangeAction.CHANGED, changes)
    return changes


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``target`` with ``patch`` merged into it (RFC 7396)."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            present = merged.get(name)
            merged[name] = merge_patch(present if isinstance(present, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


async def _set_document(
    desk: Desk, customer: Customer, kind: str | None, number: str | None
) -> None:
    if kind is None or number is None:
        customer.document_type = customer.document_masked = None
        customer.document_cipher = customer.document_index = None
        return
    await repository.hold_keys(desk.session)
    indexes = document_indexes(desk.cipher, number)
    if kind == customer.document_type and customer.document_index in indexes:
        return
    document = seal_document(desk.cipher, kind, number)
    holder = await repository.holder_of_document(desk.session, indexes)
    if holder is not None and holder[0] != customer.id:
        raise DocumentTaken(
            str(holder[0]) if desk.principal.covers(holder[1]) else "of another unit"
        )
    customer.document_type, customer.document_cipher = document.type, document.cipher
    customer.document_index, customer.document_masked = document.index, document.masked


async def _check_attributes(desk: Desk, customer: Customer, given: Mapping[str, Any]) -> None:
    # What is given, and not what is there: a declaration comes later than many profiles.
    if given:
        declared = await declarations(desk.session, strict=desk.strict)
        declared.require(customer.kind, given)


async def _check_unit(desk: Desk, code: str) -> None:
    if not await repository.unit_in_scope(desk.session, code, desk.principal.unit_path):
        raise UnitOutOfScope(code)


async def _check_manager(desk: Desk, manager_id: UUID | None) -> None:
    if manager_id is not None and not await repository.is_on_staff(desk.session, manager_id):
        raise ManagerUnknown(str(manager_id))


def _check_days(desk: Desk, customer: Customer) -> None:
    days: Sequence[tuple[str, date | None]] = (
        ("birth_date", customer.birth_date),
        ("entry_date", customer.entry_date),
    )
    for name, day in days:
        if day is not None and day > desk.today:
            raise DatesContradict(name, day, "after", desk.today)
    if customer.birth_date is not None and customer.birth_date > customer.entry_date:
        raise DatesContradict("birth_date", customer.birth_date, "after", customer.entry_date)
    if customer.left_on is not None and customer.left_on < customer.entry_date:
        raise DatesContradict("entry_date", customer.entry_date, "after", customer.left_on)
