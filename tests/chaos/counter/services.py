"""What clerks do for a customer of another city: each service from the first question to the end."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from tests.chaos.counter import card_replacement, payment, repair, transfer
from tests.chaos.counter.desk import Desk, Served
from tests.chaos.counter.people import Person

Service = Callable[[Desk, Person, UUID], Awaitable[list[Served]]]

SERVICES: Mapping[str, Service] = {
    card_replacement.KIND: card_replacement.replace_card,
    payment.KIND: payment.pay,
    repair.KIND: repair.repair,
    transfer.KIND: transfer.transfer,
}
