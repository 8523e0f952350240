"""What card replacement looks like over the wire: to staff, and between the two ends."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_validator

from services.city_node.card_replacement.models import CardState
from services.city_node.customer.identity import check_document
from services.city_node.customer.models import DocumentType
from services.city_node.service_request.schemas import (
    REQUEST_EXAMPLE,
    TRAIL_EXAMPLE,
    Answered,
    DivisionCode,
    DocumentNumber,
    Msisdn,
    Sealed,
    ServiceRequestOut,
)
from shared.organisation.schemas import UnitCode

Iccid = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{19,20}$",
        description="Number of a card (ITU-T E.118).",
        examples=["89860026440300000017"],
    ),
]
Imsi = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{15}$",
        description="Subscriber identity on a card (ITU-T E.212).",
        examples=["460002644030001"],
    ),
]
MOST_CARDS = 5000
"""Cards in one loading: a box of them, and less than what one statement should carry."""

_CARD: dict[str, JsonValue] = {
    "iccid": "89860026440300000017",
    "imsi": "460002644030001",
    "state": "reserved",
}


class WhyReplaced(StrEnum):
    """What is wrong with the old card."""

    LOST = "lost"
    DAMAGED = "damaged"
    UPGRADE = "upgrade"


class CardReplacementIn(BaseModel):
    """What the clerk asks for a customer at the counter."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "msisdn": "13800005678",
                    "home": "110100",
                    "document_type": "id_card",
                    "document_number": "11010519491231002X",
                    "reason": "lost",
                }
            ]
        },
    )

    msisdn: Msisdn
    home: DivisionCode | None = Field(
        default=None,
        description="Division code of the customer's home city; found by the number's segment without it.",
    )
    document_type: DocumentType
    document_number: DocumentNumber
    unit: UnitCode | None = Field(
        default=None,
        description="Hall whose stock the card comes from; the caller's own unit without it.",
    )
    reason: WhyReplaced

    @field_validator("document_number")
    @classmethod
    def _form_of_its_type(cls, number: str, info: ValidationInfo) -> str:
        """Catch a slip of the pen here, rather than have the home city say that it is somebody else's."""
        document_type = info.data.get("document_type")
        return check_document(document_type, number) if document_type else number


class CardOut(BaseModel):
    """The card that a request has."""

    iccid: Iccid
    imsi: Imsi
    state: CardState


class CardReplacementOut(ServiceRequestOut):
    """This end's record of a card replacement, with its card."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**REQUEST_EXAMPLE, "trail": TRAIL_EXAMPLE, "card": _CARD}]}
    )

    card: CardOut | None = Field(
        description="The card of this node's stock; null once it is back there, and at the home node."
    )


class CardIn(BaseModel):
    """One card as it comes from the maker."""

    model_config = ConfigDict(extra="forbid")

    iccid: Iccid
    imsi: Imsi


class CardsIn(BaseModel):
    """Cards to load into a hall's stock."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"unit": "440300", "cards": [{"iccid": _CARD["iccid"], "imsi": _CARD["imsi"]}]}
            ]
        },
    )

    unit: UnitCode | None = Field(
        default=None,
        description="Hall that has the cards; the caller's own unit without it.",
    )
    cards: list[CardIn] = Field(min_length=1, max_length=MOST_CARDS)


class CardsLoaded(BaseModel):
    """What a loading did."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"unit": "440300", "loaded": 100, "known": 0}]}
    )

    unit: str
    loaded: int = Field(description="Cards that are new in the stock.")
    known: int = Field(description="Cards that this unit's stock had already, left as they are.")


class StockCard(BaseModel):
    """A card of the stock."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_CARD,
                    "unit": "440300",
                    "request_id": REQUEST_EXAMPLE["id"],
                    "created_at": "2026-03-01T01:00:00+00:00",
                    "updated_at": "2026-03-02T02:00:00+00:00",
                    "version": 2,
                }
            ]
        }
    )

    iccid: Iccid
    imsi: Imsi
    unit: str
    state: CardState
    request_id: str | None
    created_at: str
    updated_at: str
    version: int


class StockPage(BaseModel):
    """A page of the stock."""

    items: list[StockCard]
    next: str | None = Field(description="The cursor of the following page; null on the last.")
    count: int | None = Field(default=None, description="How many there are in all, if asked for.")


class Asked(Sealed):
    """The visited node's question: may this person have a new card?"""

    reason: WhyReplaced
    memo: str | None = Field(default=None, max_length=16 * 1024)
    """What the visited node needs to recall its request, sealed for itself."""


class Question(BaseModel):
    """What is sealed in the question."""

    msisdn: Msisdn
    document_type: DocumentType
    document_number: DocumentNumber


class WrittenCard(BaseModel):
    """What is sealed in the news of a written card."""

    iccid: Iccid
    imsi: Imsi


class Yes(Answered):
    """The home node's assent, to the question or to the written card."""
