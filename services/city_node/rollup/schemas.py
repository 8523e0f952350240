"""Roll-ups over HTTP."""

from pydantic import BaseModel, ConfigDict, Field

from shared.reporting.schemas import Reason


class RollupIn(BaseModel):
    """What is to be counted anew."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"period": "2026-11", "reason": "bills came late"}]},
    )

    period: str | None = Field(
        default=None,
        description="A month or a day; what the nightly roll-up would count without it.",
    )
    reason: Reason | None = Field(
        default=None, description="Why figures that were told before change."
    )


class CountedOut(BaseModel):
    """What became of one dataset."""

    model_config = ConfigDict(from_attributes=True)

    dataset: str = Field(examples=["customer"])
    period: str = Field(examples=["2026-11"])
    revision: int = Field(description="The revision that is current now.", examples=[2])
    hash: str
    row_count: int = Field(description="Cells.", examples=[187])
    changed: bool = Field(description="Whether a new revision was made, and is on its way to HQ.")


class RollupOut(BaseModel):
    """What became of a roll-up."""

    items: list[CountedOut]
