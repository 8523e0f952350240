"""What a transfer looks like over the wire: to staff, and between the two ends."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationInfo, field_validator

from services.city_node.customer.identity import check_document
from services.city_node.customer.models import DocumentType
from services.city_node.customer.schemas import Line
from services.city_node.service_request.schemas import (
    REQUEST_EXAMPLE,
    TRAIL_EXAMPLE,
    Answered,
    DivisionCode,
    DocumentNumber,
    Msisdn,
    Sealed,
    ServiceRequestOut,
    Spoken,
    Told,
)
from services.city_node.transfer.packing import MOST_CHUNKS
from shared.organisation.schemas import UnitCode

_BODY: dict[str, JsonValue] = {
    "msisdn": "13800005678",
    "home": "110100",
    "document_type": "id_card",
    "document_number": "11010519491231002X",
    "consent": "Form T-2026-0007, signed at the counter",
}


class TransferIn(BaseModel):
    """What the clerk asks for a customer who moves here."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_BODY]})

    msisdn: Msisdn
    home: DivisionCode | None = Field(
        default=None,
        description="Division code of the customer's home city; found by the number's segment without it.",
    )
    document_type: DocumentType
    document_number: DocumentNumber
    consent: Annotated[
        Line,
        Field(
            max_length=200,
            description="How the customer agreed that the whole record moves, such as the number of the form that was signed.",
        ),
    ]
    new_msisdn: Msisdn | None = Field(
        default=None,
        description="Number that the line is to have here; every line keeps its own without it.",
    )
    unit: UnitCode | None = Field(
        default=None,
        description="Unit that looks after the customer here; the caller's own without it.",
    )

    @field_validator("document_number")
    @classmethod
    def _form_of_its_type(cls, number: str, info: ValidationInfo) -> str:
        """Catch a slip of the pen here, rather than have the home city say that it is somebody else's."""
        document_type = info.data.get("document_type")
        return check_document(document_type, number) if document_type else number


class RecordOut(BaseModel):
    """How much of a record has come."""

    chunks: int = Field(description="Pieces that it has.")
    came: int = Field(description="Pieces that are here; at the old home none.")


class TransferOut(ServiceRequestOut):
    """This end's record of a transfer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **REQUEST_EXAMPLE,
                    "kind": "transfer",
                    "state": "offered",
                    "data": {"document_type": "id_card", "consent": _BODY["consent"]},
                    "trail": TRAIL_EXAMPLE,
                    "customer_id": "0198f2b4-1111-7d3a-9a44-1f0c5e7b2a11",
                    "epoch": 1,
                    "record": {"chunks": 3, "came": 2},
                }
            ]
        }
    )

    customer_id: UUID | None = Field(
        description="The customer, under the same id in both cities; null until the old home has agreed."
    )
    epoch: int | None = Field(description="In which the old home has the customer.")
    record: RecordOut | None = Field(
        description="How much of the record has come; null before there is one, and when all is over."
    )


class Asked(Sealed):
    """The new home's question: may this customer move here?"""

    memo: str | None = Field(default=None, max_length=16 * 1024)
    """What the new home needs to recall its request, sealed for itself."""


class Question(BaseModel):
    """What is sealed in the question."""

    msisdn: Msisdn
    document_type: DocumentType
    document_number: DocumentNumber
    consent: Annotated[str, Field(max_length=200)]
    consented_at: datetime
    by: str = Field(max_length=200)


class Memo(BaseModel):
    """What the new home seals for itself in its question."""

    by: str
    unit: str
    subject: str
    document_type: str
    consent: str
    msisdn: Msisdn
    new_msisdn: Msisdn | None


class Offered(Answered):
    """The old home's assent: the record is frozen and on its way."""

    customer_id: UUID
    epoch: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    chunks: int = Field(ge=1, le=MOST_CHUNKS)


class Chunk(Sealed):
    """A piece of the record, sealed as the bytes that it is."""

    number: int = Field(ge=1, le=MOST_CHUNKS)


class NotTaken(Told):
    """The new home cannot take the record: why, in a form for programs and one for people."""

    reason: str = Field(pattern=r"^[a-z][a-z-]{0,60}$")
    text: Spoken
