"""What neighbours say to each other about a day's books. Amounts are what the parent owes the child, unless named."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from shared.clearing.models import ItemKind

STATEMENT = "guanxi.clearing.statement.v1"
ITEMS_WANTED = "guanxi.clearing.items-wanted.v1"
ITEMS = "guanxi.clearing.items.v1"
COMPARED = "guanxi.clearing.compared.v1"

MOST_ITEMS = 2000
"""Items after which a message is full; a portion is not divided."""

Portion = Annotated[str, Field(pattern=r"^[0-9a-f]{2}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class OfDay(BaseModel):
    """What is said about a business day, under a revision of the child's statement."""

    day: date
    revision: int = Field(gt=0)


class Statement(OfDay):
    """A child says what it has booked with its parent."""

    items: int = Field(ge=0)
    net_fen: int
    portions: dict[Portion, Digest] = Field(max_length=256)


class ItemsWanted(OfDay):
    """A parent asks for the items of what it has otherwise."""

    portions: list[Portion] = Field(max_length=256)


class WireItem(BaseModel):
    """One item."""

    request_id: UUID
    kind: ItemKind
    fen: int


class Items(OfDay):
    """A child sends the items of some portions."""

    portions: dict[Portion, list[WireItem]] = Field(max_length=256)


class WireDifference(BaseModel):
    """An item that the two do not have alike: what the child owes for it, by either's books."""

    request_id: UUID
    kind: ItemKind
    parent_fen: int | None
    child_fen: int | None


class Compared(OfDay):
    """A parent says whether the day agrees: its own totals, and what differs of some portions."""

    agreed: bool
    items: int = Field(ge=0)
    net_fen: int = Field(description="What the child owes, by the parent's books.")
    portions: list[Portion] = Field(default=[], max_length=256)
    differences: list[WireDifference] = []
