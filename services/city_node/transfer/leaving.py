"""A customer of this city is another's: the profile stays here as a copy, in the retained library."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer import repository as customers
from services.city_node.customer.audited import record_change
from services.city_node.customer.history import Changes, change_row, differences, snapshot
from services.city_node.customer.models import (
    ChangeAction,
    ChangeSource,
    Customer,
    Library,
    SimState,
    SubscriptionStatus,
)
from services.city_node.customer.ownership import (
    CustomerOwnership,
    OwnershipState,
    fence_open,
    ownership_of,
)
from services.city_node.points import moving
from services.city_node.service_request.finding import note_moved
from services.city_node.transfer import repository
from shared import audit
from shared.federation.delivery import Delivery
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.encryption import Cipher
from shared.ownership import FIRST_EPOCH, Word

REASON = "transferred"
"""Why the customer left, in the catalogue that every city begins with."""


async def freeze(
    session: AsyncSession, customer: Customer, transfer_id: UUID, to: str, *, now: datetime
) -> CustomerOwnership:
    """Let nobody change a customer who is locked until it is decided whose the record is."""
    found = await ownership_of(session, customer.id)
    if found is None:
        found = CustomerOwnership(customer_id=customer.id, epoch=FIRST_EPOCH)
    found.state, found.other = OwnershipState.FROZEN.value, to
    found.transfer_id, found.since = transfer_id, now
    session.add(found)
    await session.flush()  # the fence stands before the record is read
    return found


async def thaw(
    session: AsyncSession,
    customer_id: UUID,
    transfer_id: UUID,
    *,
    now: datetime,
    epoch: int | None = None,
) -> None:
    """Let a customer whom a transfer had frozen be changed again; HQ may have said in which epoch the city has them."""
    found = await ownership_of(session, customer_id)
    if found is None or found.state != OwnershipState.FROZEN or found.transfer_id != transfer_id:
        return
    found.state, found.other, found.since = OwnershipState.LIVE.value, None, now
    found.epoch = epoch or found.epoch
    await session.flush()  # what follows looks at whether the customer is live
    await moving.judge_again(await driver_connection(session), customer_id)


async def leave(
    delivery: Delivery, cipher: Cipher, word: Word, transfer_id: UUID, owner: str
) -> bool:
    """Let a customer whom HQ's directory gives to another city be a copy here; tell whether it is news.

    The lines end, the numbers and SIMs are the other city's, the points leave the ledger, and nothing of the copy can
    be changed from now on. Who asks for one of the numbers is told where it went.
    """
    session, now = delivery.session, delivery.now
    customer = await repository.lock_customer(session, word.customer_id)
    if customer is None:
        return False
    found = await ownership_of(session, customer.id)
    if found is not None and (
        found.epoch > word.epoch
        or (found.epoch == word.epoch and found.state == OwnershipState.LEFT)
    ):
        return False  # heard before, and perhaps followed by more
    connection = await driver_connection(session)
    async with fence_open(connection):
        for msisdn in await _retire(delivery, customer, owner):
            await note_moved(session, cipher, msisdn, owner, epoch=word.epoch, now=now)
        await session.flush()  # written while the fence is open
        await moving.move_out(connection, customer.id, transfer_id=transfer_id, at=now)
    left = found or CustomerOwnership(customer_id=customer.id)
    left.epoch, left.state, left.other = word.epoch, OwnershipState.LEFT.value, owner
    left.transfer_id, left.since = transfer_id, now
    session.add(left)
    await session.flush()  # the fence closes behind the customer
    return True


async def _retire(delivery: Delivery, customer: Customer, to: str) -> list[str]:
    """End what the customer has here; return the numbers that went."""
    session, now = delivery.session, delivery.now
    before = snapshot(customer)
    lines = await customers.subscriptions_in_use(session, customer.id)
    changes: Changes = []
    for sim in await customers.active_sims(session, lines):
        sim.state, sim.ended_at = SimState.ENDED.value, now
        changes.append(_ended(f"sims/{sim.iccid}/state", SimState.ACTIVE, SimState.ENDED))
    for line in lines:
        field = f"subscriptions/{line.msisdn}/status"
        changes.append(_ended(field, line.status, SubscriptionStatus.ENDED))
        line.status, line.ended_on = SubscriptionStatus.ENDED.value, business_day(now)
    if customer.library == Library.IN_NETWORK:
        customer.library, customer.left_on = Library.RETAINED.value, business_day(now)
        customer.left_reason, customer.left_destination = REASON, to
    customer.manager_id = None
    source, action = ChangeSource.MESSAGE, ChangeAction.MOVED_OUT
    told = differences(before, snapshot(customer)) + changes
    cause, by = delivery.message.id, delivery.message.source
    session.add(change_row(customer, action, told, at=now, by=by, source=source, cause_id=cause))
    actor = audit.Actor.peer(by)
    record_change(session, actor, action, customer.id, told, at=now, cause_id=cause)
    return [line.msisdn for line in lines]


def _ended(field: str, old: str, new: str) -> dict[str, str]:
    return {"field": field, "old": str(old), "new": str(new)}
