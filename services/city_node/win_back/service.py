"""Bringing back a customer who was won: the restoring and the attempt that did it, in one change."""

from uuid import UUID

from services.city_node.customer import lifecycle
from services.city_node.customer.history import differences
from services.city_node.customer.models import ChangeAction
from services.city_node.customer.problems import CustomerInNetwork
from services.city_node.customer.service import Desk
from services.city_node.held.problems import HeldNotFound
from services.city_node.win_back.held import attempts, forget_due
from services.city_node.win_back.models import AttemptResult, WinBackAttempt
from services.city_node.win_back.problems import AttemptOfEarlierDeparture


async def restore_by(desk: Desk, customer_id: UUID, attempt_id: UUID, expected: int) -> None:
    """Restore a customer, and note that this attempt won the customer back.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if the customer was changed since version ``expected`` (412).
        CustomerInNetwork: if the customer has not left, or is back (409).
        HeldNotFound: if the customer has no such attempt (404).
        AttemptOfEarlierDeparture: if it is about an earlier departure (409).
    """
    customer = await desk.locked(customer_id, expected)
    if customer.left_on is None:
        raise CustomerInNetwork(customer=customer.customer_number)
    attempt = await desk.session.get(WinBackAttempt, attempt_id)
    if attempt is None or attempt.customer_id != customer.id:
        raise HeldNotFound(
            customer=customer.id, noun=attempts.title, item=attempt_id, path=attempts.path
        )
    if attempt.left_on != customer.left_on:
        raise AttemptOfEarlierDeparture(attempt=attempt.id, left_on=attempt.left_on)
    before = attempts.history(attempt.id, {"result": attempt.result})
    attempt.result, attempt.next_due = AttemptResult.RETURNED.value, None
    after = attempts.history(attempt.id, {"result": attempt.result})
    await forget_due(desk, customer, but=attempt)
    await desk.keep(customer, ChangeAction.PART_CHANGED, differences(before, after))
    await lifecycle.restore(desk, customer.id, customer.version)
