"""Changes that a second person must approve: what another capability offers to the change of a customer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import asyncpg
from fastapi import Request

from services.city_node.customer.author import Author
from services.city_node.customer.schemas import CustomerPatch
from services.city_node.customer.stored import Stored


@dataclass(frozen=True, slots=True)
class Review:
    """How a node changes a customer if some fields need a second person.

    Attributes:
        sensitive: SQL of the members of a patch that do, as a ``text[]``; refers to the customer as ``c``.
        propose: makes a proposal of such a patch of a locked customer; returns its id, if it would change anything.
        path: where proposals are found.
    """

    sensitive: str
    propose: Callable[[asyncpg.Connection, Author, Stored, CustomerPatch], Awaitable[UUID | None]]
    path: str


async def _never(_: asyncpg.Connection, __: Author, ___: Stored, ____: CustomerPatch) -> None:
    """Propose nothing: no member is sensitive."""


AT_ONCE = Review("NULL::text[]", _never, "")
"""For a node without such a capability: every change takes effect at once."""


def review_offered(request: Request) -> Review:
    """Return how this node changes customers."""
    offers: tuple[object, ...] = request.app.state.offers
    return _review_among(offers)


@lru_cache
def _review_among(offers: tuple[object, ...]) -> Review:
    return next((offer for offer in offers if isinstance(offer, Review)), AT_ONCE)
