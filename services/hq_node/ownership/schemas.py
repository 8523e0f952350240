"""What the directory looks like over HTTP."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_CUSTOMER = "0198f2b4-6c1e-7d3a-9a44-1f0c5e7b2a11"
_TRANSFER = "0198f2b4-7d2f-7e4b-8b55-2a1d6f8c3b22"
_AT = "2026-03-02T02:00:00+00:00"
_CHANGE: dict[str, JsonValue] = {
    "epoch": 2,
    "owner": "440300",
    "former_owner": "110100",
    "transfer_id": _TRANSFER,
    "at": _AT,
}


class OwnershipChangeOut(BaseModel):
    """One move of ownership."""

    epoch: int = Field(description="The epoch that it began.")
    owner: str = Field(description="Division code of the city that has the customer from then on.")
    former_owner: str
    transfer_id: UUID
    at: datetime


class OwnershipOut(BaseModel):
    """Whose a customer is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": _CUSTOMER,
                    "owner": "440300",
                    "epoch": 2,
                    "since": _AT,
                    "transfer_id": _TRANSFER,
                    "history": [_CHANGE],
                }
            ]
        }
    )

    customer_id: UUID
    owner: str = Field(description="Division code of the city that has the customer.")
    epoch: int = Field(description="1 with the city that made the profile, one more for each move.")
    since: datetime
    transfer_id: UUID = Field(description="The transfer by which it came there.")
    history: list[OwnershipChangeOut]
