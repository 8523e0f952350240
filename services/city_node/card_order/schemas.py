"""What orders of cards look like over the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.city_node.card_order.models import MOST_ORDERED, LossState, OrderState
from services.city_node.card_replacement.models import CardState
from services.city_node.card_replacement.schemas import Iccid, Imsi
from services.city_node.customer.schemas import Body, Prose

_STOCK: dict[str, JsonValue] = {
    "unit": "440300-01",
    "in_stock": 12,
    "in_transit": 100,
    "level": 20,
    "quantity": 100,
    "version": 1,
}
_ORDER: dict[str, JsonValue] = {
    "id": "5f3c8a52-6b1e-5d8e-9a40-4c3e0d1f7a11",
    "unit": "440300-01",
    "number": 3,
    "state": "shipped",
    "quantity": 100,
    "consignments": 1,
    "received": 0,
    "in_transit": 100,
    "lost": 0,
    "reference": "card-supplier-000017",
    "refusal": None,
    "created_at": "2026-03-01T01:00:00+00:00",
    "updated_at": "2026-03-02T02:00:00+00:00",
    "version": 4,
}
_NEXT = Field(description="The cursor of the following page; null on the last.")
_COUNT = Field(default=None, description="How many there are in all, if asked for.")


class ReorderIn(BaseModel):
    """When a hall orders, and how much."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"level": 20, "quantity": 100}]}
    )

    level: Annotated[
        int,
        Field(
            ge=0,
            le=MOST_ORDERED,
            strict=True,
            description="It orders when fewer cards are in stock; 0: nothing is ordered by itself.",
        ),
    ]
    quantity: Annotated[
        int, Field(ge=1, le=MOST_ORDERED, strict=True, description="Cards in an order.")
    ]


class CardStockOut(BaseModel):
    """What a unit has in stock, and when it orders."""

    model_config = ConfigDict(json_schema_extra={"examples": [_STOCK]})

    unit: str
    in_stock: int = Field(description="Cards that can be reserved.")
    in_transit: int = Field(description="Cards that were shipped to it, and not received yet.")
    level: int = Field(description="0: nothing is ordered by itself.")
    quantity: int | None = Field(description="Null until it is set.")
    version: int = Field(description="Of level and quantity; 0 until they are set.")


class CardStockPage(BaseModel):
    """A page of units with what they have in stock."""

    items: list[CardStockOut]
    next: str | None = _NEXT
    count: int | None = _COUNT


class CardOrderOut(BaseModel):
    """An order of blank cards, and what came of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ORDER]})

    id: UUID
    unit: str = Field(description="The hall that the cards are for.")
    number: int = Field(description="The hall's first order is 1.")
    state: OrderState
    quantity: int
    consignments: int = Field(description="How many the supplier has advised.")
    received: int = Field(description="Cards that entered the stock, wherever they are by now.")
    in_transit: int = Field(description="Cards that were shipped, and not received yet.")
    lost: int = Field(description="Cards that were shipped, and written off as lost.")
    reference: str | None = Field(description="What the supplier calls it.")
    refusal: str | None = Field(description="Why the supplier does not deliver.")
    created_at: datetime
    updated_at: datetime
    version: int


class CardOrderPage(BaseModel):
    """A page of orders."""

    items: list[CardOrderOut]
    next: str | None = _NEXT
    count: int | None = _COUNT


class OrderedCard(BaseModel):
    """A card of an order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "iccid": "89860088000000000001",
                    "imsi": "460880000000001",
                    "consignment": 1,
                    "state": "in_transit",
                }
            ]
        }
    )

    iccid: Iccid
    imsi: Imsi
    consignment: int
    state: CardState


class OrderedCardPage(BaseModel):
    """A page of the cards of an order."""

    items: list[OrderedCard]
    next: str | None = _NEXT
    count: int | None = _COUNT


class ReceiptIn(BaseModel):
    """Which cards arrived."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"cards": ["89860088000000000001"]}]}
    )

    cards: Annotated[
        list[Iccid] | None,
        Field(
            min_length=1,
            max_length=MOST_ORDERED,
            description="ICCIDs of the cards that are here, lost ones that turned up too; without it all in transit.",
        ),
    ] = None


class LossIn(Body):
    """Which cards are lost, and why."""

    cards: Annotated[
        list[Iccid] | None,
        Field(
            min_length=1,
            max_length=MOST_ORDERED,
            description="ICCIDs of the cards; all that are in transit without it.",
            examples=[["89860088000000000001"]],
        ),
    ] = None
    reason: Prose = Field(examples=["承运商确认丢失"])


class RejectionIn(Body):
    """Why cards are not written off."""

    reason: Prose = Field(examples=["承运商仍在查找"])


class CardLossOut(BaseModel):
    """Cards of an order that somebody says are lost."""

    id: UUID
    order: UUID
    unit: str
    cards: list[Iccid]
    reason: str
    state: LossState
    lost: int | None = Field(description="How many were written off; null until it is approved.")
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None = Field(description="Why it was rejected.")
    version: int


class CardLossPage(BaseModel):
    """A page of losses."""

    items: list[CardLossOut]
    next: str | None = _NEXT
    count: int | None = _COUNT
