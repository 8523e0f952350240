"""Changes that a second person must approve: what another capability offers to the change of a customer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from fastapi import Request

from services.city_node.customer.schemas import CustomerPatch
from services.city_node.customer.service import Desk, change_customer


@dataclass(frozen=True, slots=True)
class Review:
    """How a node changes a customer if some fields need a second person.

    Attributes:
        change: changes what may be changed at once; returns the id of the proposal that it made of the rest, if any.
        path: where proposals are found.
    """

    change: Callable[[Desk, UUID, int, CustomerPatch], Awaitable[UUID | None]]
    path: str


async def _at_once(desk: Desk, customer_id: UUID, expected: int, patch: CustomerPatch) -> None:
    await change_customer(desk, customer_id, expected, patch)


AT_ONCE = Review(_at_once, "")
"""For a node without such a capability: every change takes effect at once."""


def review_offered(request: Request) -> Review:
    """Return how this node changes customers."""
    offers: tuple[object, ...] = request.app.state.offers
    return _review_among(offers)


@lru_cache
def _review_among(offers: tuple[object, ...]) -> Review:
    return next((offer for offer in offers if isinstance(offer, Review)), AT_ONCE)
