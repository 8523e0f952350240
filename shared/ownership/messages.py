"""The types of messages about ownership, and the form of their data: ids, cities and epochs, nothing of a person."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

Division = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
Epoch = Annotated[int, Field(ge=1)]

MOVE_ASKED = "guanxi.ownership.move-asked.v1"
MOVED = "guanxi.ownership.moved.v1"
NOT_MOVED = "guanxi.ownership.not-moved.v1"
INQUIRED = "guanxi.ownership.inquired.v1"
TOLD = "guanxi.ownership.told.v1"


class MoveAsked(BaseModel):
    """The owner asks HQ to move ownership to another city."""

    customer_id: UUID
    transfer_id: UUID
    """What it moves by: asked again by the same, HQ answers the same."""
    epoch: Epoch
    """In which the asker believes to be the owner."""
    to: Division


class Inquiry(BaseModel):
    """A city asks HQ whose a customer is."""

    customer_id: UUID
    transfer_id: UUID | None = None
    """The transfer that the city waits for, to find its own again in the answer."""


class Word(BaseModel):
    """HQ says whose a customer is, by its directory."""

    customer_id: UUID
    transfer_id: UUID | None = None
    """The transfer that this answers or that moved ownership."""
    owner: Division | None = None
    """Nothing if ownership has never moved: the city that made the profile has it, in epoch 1."""
    epoch: Epoch = 1
    moved_by: UUID | None = None
    """The transfer by which the owner has it."""
    since: datetime | None = None
