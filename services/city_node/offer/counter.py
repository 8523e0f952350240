"""Where offers are kept, granted and used: by whom, when, and in which transaction."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer import repository as customers
from services.city_node.customer.models import Customer
from shared import audit
from shared.capability import Action
from shared.kernel.clock import business_day
from shared.kernel.encryption import Cipher


@dataclass(frozen=True, slots=True)
class Counter:
    """Somebody at work, at a desk or at the command line.

    Attributes:
        session: the transaction.
        actor: who.
        scope: path of the unit below which they work; empty for all.
        now: when.
        cipher: the node's, for conditions.
        node: the node's division code.
    """

    session: AsyncSession
    actor: audit.Actor
    scope: str
    now: datetime
    cipher: Cipher
    node: str

    @property
    def today(self) -> date:
        """The business day."""
        return business_day(self.now)

    @property
    def unit(self) -> str:
        """The unit of whoever works here; the node's own at the command line."""
        return self.actor.unit_code or self.node

    async def locked(self, customer_id: UUID) -> Customer:
        """Return a customer in scope, locked: before anything of the customer's is.

        Raises:
            CustomerNotFound: if there is none in scope (404).
        """
        return await customers.lock_customer(self.session, customer_id, self.scope)

    def record(self, action: Action, subject: audit.Subject, **given: Any) -> None:
        """Leave a record of what is done in the audit log."""
        audit.record(self.session, self.actor, action, at=self.now, subject=subject, **given)
