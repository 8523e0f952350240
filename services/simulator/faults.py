"""Faults that a simulator can be told to make."""

import random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Rate = Annotated[float, Field(ge=0, le=1)]


class Faults(BaseModel):
    """What goes wrong, and how often; a rate is the part of calls that it happens to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: Annotated[int, Field(ge=0, le=60_000, description="How long each call takes.")] = 0
    down: Annotated[bool, Field(description="Every call is answered 503.")] = False
    retry_after: Annotated[
        int | None, Field(ge=0, le=3600, description="Seconds that a 503 or 429 asks for.")
    ] = None
    busy_rate: Annotated[Rate, Field(description="Answered 429 before anything is done.")] = 0
    error_rate: Annotated[Rate, Field(description="Answered 500 before anything is done.")] = 0
    hang_rate: Annotated[
        Rate, Field(description="Not answered for minutes; every other time after it was done.")
    ] = 0
    lost_answer_rate: Annotated[Rate, Field(description="Done, and then answered 500.")] = 0
    refusal_rate: Annotated[
        Rate, Field(description="Refused for good, if it was not done before.")
    ] = 0
    forgets_keys: Annotated[
        bool,
        Field(
            description="Does again what has a key that it knows: a port that breaks its contract, for a checker to notice."
        ),
    ] = False


class Dice:
    """Draws which fault a call meets."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - which call fails is no secret

    def falls(self, rate: float) -> bool:
        """Tell whether something happens that happens to this part of calls."""
        return rate > 0 and self._random.random() < rate
