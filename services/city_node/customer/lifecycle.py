"""Leaving and returning: a profile moves to the retained library whole, and back with its history kept."""

from uuid import UUID

from services.city_node.customer import repository
from services.city_node.customer.history import Changes, differences, snapshot
from services.city_node.customer.models import (
    ChangeAction,
    Customer,
    Library,
    SimState,
    SubscriptionStatus,
)
from services.city_node.customer.problems import (
    CustomerInNetwork,
    CustomerRetained,
    DatesContradict,
)
from services.city_node.customer.schemas import Departure
from services.city_node.customer.service import Desk
from services.city_node.departure.catalogue import Catalogue
from services.city_node.departure.problems import CompetitorUnknown


async def retire(desk: Desk, customer_id: UUID, expected: int, departure: Departure) -> None:
    """Move a customer who leaves to the retained library, and end the customer's lines and SIMs.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since version ``expected`` (412).
        CustomerRetained: if the customer has left already (409).
        CompetitorUnknown: if the catalogue does not have the competitor (422).
        DatesContradict: if the day lies in the future, or before the customer came (422).
    """
    customer = await desk.locked(customer_id, expected)
    if customer.library == Library.RETAINED:
        raise CustomerRetained(customer.customer_number, customer.left_on)
    catalogue = await Catalogue.read(desk.session)
    competitor = catalogue.competitor(departure.competitor or departure.destination)
    if departure.competitor is not None and competitor is None:
        raise CompetitorUnknown(departure.competitor)
    left_on = departure.on or desk.today
    if left_on > desk.today:
        raise DatesContradict("on", left_on, "after", desk.today)
    if left_on < customer.entry_date:
        raise DatesContradict("on", left_on, "before", customer.entry_date)
    before = snapshot(customer)
    customer.library = Library.RETAINED.value
    customer.left_on = left_on
    customer.left_reason, unknown = catalogue.reason(departure.reason)
    customer.left_note = "\n".join(filter(None, (unknown, departure.note))) or None
    customer.left_destination, customer.left_competitor = departure.destination, competitor
    ended = await _end_lines(desk, customer)
    await desk.keep(customer, ChangeAction.RETIRED, differences(before, snapshot(customer)) + ended)


async def _end_lines(desk: Desk, customer: Customer) -> Changes:
    subscriptions = await repository.subscriptions_in_use(desk.session, customer.id)
    changes: Changes = []
    for subscription in subscriptions:
        changes.append(
            {
                "field": f"subscriptions/{subscription.msisdn}/status",
                "old": subscription.status,
                "new": SubscriptionStatus.ENDED.value,
            }
        )
        subscription.status, subscription.ended_on = (
            SubscriptionStatus.ENDED.value,
            customer.left_on,
        )
    for sim in await repository.active_sims(desk.session, subscriptions):
        sim.state, sim.ended_at = SimState.ENDED.value, desk.now
        changes.append(
            {
                "field": f"sims/{sim.iccid}/state",
                "old": SimState.ACTIVE.value,
                "new": SimState.ENDED.value,
            }
        )
    return changes


async def restore(desk: Desk, customer_id: UUID, expected: int) -> None:
    """Bring a retained customer back into the network; the lines that ended stay ended, their numbers may be gone.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since version ``expected`` (412).
        CustomerInNetwork: if the customer has not left (409).
    """
    customer = await desk.locked(customer_id, expected)
    if customer.library == Library.IN_NETWORK:
        raise CustomerInNetwork(customer=customer.customer_number)
    before = snapshot(customer)
    customer.library = Library.IN_NETWORK.value
    customer.left_on = customer.left_reason = customer.left_destination = None
    customer.left_competitor = customer.left_note = None
    await desk.keep(customer, ChangeAction.RESTORED, differences(before, snapshot(customer)))
