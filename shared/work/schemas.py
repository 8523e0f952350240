"""Long work over the wire."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.kernel.language import Language
from shared.work.models import Work, WorkState


class WorkOut(BaseModel):
    """A piece of long work."""

    id: UUID
    kind: str = Field(examples=["customer-export"])
    title: str
    requested_by: str
    unit_code: str
    state: WorkState
    progress_done: int
    progress_total: int | None
    progress_unit: str | None = Field(examples=["rows"])
    cancel_requested: bool
    attempt: int = Field(description="More than 1 if it was interrupted and taken up again.")
    result: dict[str, Any] | None
    error: dict[str, Any] | None = Field(description="Problem details of what failed.")
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, work: Work, language: Language) -> "WorkOut":
        """Return ``work`` as it is shown to a reader of ``language``."""
        shown = {name: getattr(work, name) for name in cls.model_fields}
        return cls(**shown | {"error": work.error[language.value] if work.error else None})


class WorkPage(BaseModel):
    """A page of work."""

    items: list[WorkOut]
    next: str | None
    count: int | None = None
