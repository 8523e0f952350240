"""What a customer holds: lines with their SIMs, and contact media."""

from uuid import UUID

from services.city_node.customer import repository
from services.city_node.customer.history import Changes
from services.city_node.customer.identity import contact_indexes, seal_contact
from services.city_node.customer.models import (
    ChangeAction,
    ContactMedium,
    Library,
    Sim,
    SimState,
    Subscription,
    SubscriptionStatus,
)
from services.city_node.customer.problems import (
    CustomerRetained,
    DatesContradict,
    NumberTaken,
    SubscriptionNotFound,
)
from services.city_node.customer.schemas import (
    ContactCreate,
    SubscriptionCreate,
    SubscriptionPatch,
)
from services.city_node.customer.service import Desk
from shared.kernel.ids import new_id


async def subscribe(desk: Desk, customer_id: UUID, body: SubscriptionCreate) -> UUID:
    """Give a customer a line, with its SIM if one is named, and return the line's id.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        CustomerRetained: if the customer has left (409).
        NumberTaken: if the number, SIM or IMSI is in use (409).
        DatesContradict: if the entry lies in the future (422).
    """
    customer = await desk.locked(customer_id)
    if customer.library == Library.RETAINED:
        raise CustomerRetained(customer.customer_number, customer.left_on)
    entry_date = body.entry_date or desk.today
    if entry_date > desk.today:
        raise DatesContradict("entry_date", entry_date, "after", desk.today)
    subscription = Subscription(
        id=new_id(),
        customer_id=customer.id,
        msisdn=body.msisdn,
        brand=body.brand,
        plan=body.plan,
        contract_term=body.contract_term,
        status=SubscriptionStatus.ACTIVE.value,
        entry_date=entry_date,
        handset=body.handset,
        imei=body.imei,
    )
    repository.add(desk.session, subscription)
    await repository.write(desk.session)
    changes: Changes = [
        {
            "field": f"subscriptions/{body.msisdn}/status",
            "old": None,
            "new": SubscriptionStatus.ACTIVE.value,
        }
    ]
    if body.iccid and body.imsi:
        sim = Sim(
            iccid=body.iccid,
            imsi=body.imsi,
            state=SimState.ACTIVE.value,
            subscription_id=subscription.id,
            activated_at=desk.now,
        )
        repository.add(desk.session, sim)
        changes.append(
            {"field": f"sims/{body.iccid}/state", "old": None, "new": SimState.ACTIVE.value}
        )
    await desk.keep(customer, ChangeAction.SUBSCRIBED, changes)
    return subscription.id


async def change_subscription(
    desk: Desk, customer_id: UUID, subscription_id: UUID, expected: int, patch: SubscriptionPatch
) -> None:
    """Change the plan, contract or telephone of a line; nothing happens, and no version passes, if it is so already.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        SubscriptionNotFound: if the customer has no such line (404).
        VersionStale: if the customer was changed since version ``expected`` (412).
    """
    customer = await desk.locked(customer_id, expected)
    subscription = await repository.subscription_of(desk.session, customer.id, subscription_id)
    if subscription is None:
        raise SubscriptionNotFound(customer=customer.id, subscription=subscription_id)
    changes: Changes = []
    for name, value in patch.model_dump(exclude_unset=True).items():
        old = getattr(subscription, name)
        if old != value:
            field = f"subscriptions/{subscription.msisdn}/{name}"
            changes.append({"field": field, "old": old, "new": value})
            setattr(subscription, name, value)
    if changes:
        await desk.keep(customer, ChangeAction.PART_CHANGED, changes)


async def add_contact(desk: Desk, customer_id: UUID, body: ContactCreate) -> UUID:
    """Note a way to reach a customer, and return its id.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        NumberTaken: if the customer has it already (409).
    """
    customer = await desk.locked(customer_id)
    await repository.hold_keys(desk.session)
    indexes = contact_indexes(desk.cipher, body.kind, body.value)
    if await repository.has_contact(desk.session, customer.id, body.kind, indexes, body.value):
        raise NumberTaken("/value", "the contact", "the customer has it")
    if body.preferred:
        await repository.forget_preference(desk.session, customer.id)
    sealed = seal_contact(desk.cipher, body.kind, body.value)
    medium = ContactMedium(
        id=new_id(),
        customer_id=customer.id,
        kind=body.kind,
        value_cipher=sealed.cipher,
        value_index=sealed.index,
        value_masked=sealed.masked,
        preferred=body.preferred,
        preferred_hours=body.preferred_hours,
    )
    repository.add(desk.session, medium)
    changes: Changes = [
        {"field": f"contacts/{medium.id}", "old": None, "new": f"{body.kind} {medium.value_masked}"}
    ]
    await desk.keep(customer, ChangeAction.CONTACT_ADDED, changes)
    return medium.id
