"""Erasing: those whose time is up, portion by portion, or one person who asked for it.

Every act of erasure passes through :func:`_erase`, which records it in the audit log, by ids alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.erasure import repository, suppression
from services.city_node.erasure.models import ErasureCause
from services.city_node.erasure.register import CLASSES
from shared import audit
from shared.capability import Action
from shared.kernel.clock import business_day
from shared.kernel.database import Database, driver_connection
from shared.kernel.encryption import Cipher
from shared.kernel.language import Text

log = structlog.get_logger("erasure")

ERASED = Action(
    "customer.erased", Text("A customer's personal data was erased", "删除客户个人信息")
)
EVERY_UNIT = ""
"""The path that every unit's path begins with."""
PORTION = 500
"""Customers in one transaction: what is erased at once, and what an interruption undoes."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who has somebody erased, and why.

    Attributes:
        actor: who does it.
        cause: the retention period, or the person's request.
        cause_id: the request.
        proposed_by: who proposed it, where it takes two people: the actor is then the second.
    """

    actor: audit.Actor
    cause: ErasureCause = ErasureCause.RETENTION
    cause_id: UUID | None = None
    proposed_by: str | None = None


async def due(
    database: Database, *, days: int, now: datetime, unit_path: str = EVERY_UNIT
) -> Sequence[Mapping[str, Any]]:
    """Return how many customers are due for erasure, by reason and kind; ``days`` is for reasons without a period."""
    return await repository.count_due(await database.pool(), business_day(now), days, unit_path)


async def erase_due(
    database: Database,
    order: Order,
    cipher: Cipher,
    *,
    days: int,
    now: datetime,
    portion: int = PORTION,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Erase everybody who is due, each portion in a transaction of its own; returns how many were.

    It may be interrupted anywhere and run again. A customer whom somebody changes at the moment waits for the next run.
    """
    today, after, erased = business_day(now), repository.FIRST, 0
    while True:
        async with database.transaction() as session:
            connection = await driver_connection(session)
            found = await repository.lock_due(connection, today, days, after=after, limit=portion)
            customers = await repository.still_due(
                connection, today, days, [customer for _, customer in found]
            )
            await _erase(session, customers, order, cipher, now=now)
        erased += len(customers)
        on_progress(erased)
        if len(found) < portion:
            return erased
        after = found[-1]


async def erase_one(
    session: AsyncSession, customer_id: UUID, order: Order, cipher: Cipher, *, now: datetime
) -> None:
    """Erase one customer, whom the caller has locked and who is free to be erased."""
    await _erase(session, [customer_id], order, cipher, now=now)


async def _erase(
    session: AsyncSession,
    customers: Sequence[UUID],
    order: Order,
    cipher: Cipher,
    *,
    now: datetime,
) -> None:
    if not customers:
        return
    for customer in customers:
        audit.record(
            session,
            order.actor,
            ERASED,
            at=now,
            subject=("customer", customer),
            fields=CLASSES,
            cause_id=order.cause_id,
        )
    connection = await driver_connection(session)
    await suppression.remember(connection, customers, cipher, at=now)
    await repository.erase(
        connection,
        customers,
        at=now,
        by=order.proposed_by or order.actor.by,
        approved_by=order.actor.by if order.proposed_by else None,
        cause=order.cause.value,
        cause_id=order.cause_id,
        classes=orjson.dumps(CLASSES).decode(),
    )
    log.info("customers erased", customers=len(customers), cause=order.cause.value)
