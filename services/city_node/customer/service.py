"""Making a customer; changes are in ``changing``, leaving and returning in ``lifecycle``, lines in ``holdings``."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer import repository, rules
from services.city_node.customer.audited import record_change
from services.city_node.customer.author import Author
from services.city_node.customer.history import Changes, change_row, creation, snapshot
from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    Customer,
    CustomerKind,
    Library,
)
from services.city_node.customer.naming import name_sort
from services.city_node.customer.schemas import CustomerCreate
from shared import audit
from shared.access import Principal
from shared.kernel.database import driver_connection
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
    def author(self) -> Author:
        """Who changes customers, for rules that need no session."""
        return Author(self.principal, self.now, self.cipher, self.strict, self.cause_id)

    @property
    def today(self) -> date:
        """The business day."""
        return self.author.today

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
    customer_id, number = new_id(), await repository.next_customer_number(desk.session, desk.node)
    connection, author = await driver_connection(desk.session), desk.author
    await rules.require_unit(connection, author, values["unit_code"])
    await rules.require_manager(connection, body.manager_id)
    rules.require_days(desk.today, values)
    await rules.require_attributes(connection, author, body.kind, body.attributes)
    values |= await rules.document_columns(
        connection,
        author,
        customer_id,
        rules.NO_DOCUMENT,
        kind=body.document_type,
        number=body.document_number,
    )
    customer = Customer(
        id=customer_id,
        customer_number=number,
        library=Library.IN_NETWORK.value,
        name_sort=name_sort(body.name, person=body.kind == CustomerKind.INDIVIDUAL),
        monthly_charge_fen=0,
        total_charge_fen=0,
        version=1,
        created_at=desk.now,
        created_by=desk.principal.username,
        **values,
    )
    repository.add(desk.session, customer)
    await desk.keep(customer, ChangeAction.CREATED, creation(snapshot(customer)))
    return customer.id
