"""Time, read at the edge and passed in.

Business code never asks for the time: it is given ``now``. The edge (a request, a message, a job) reads it from
the node's clock, so that a test moves time by hand.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime
from pydantic_core import PydanticCustomError

BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")
"""Business days and months are Chinese ones, wherever a node's machine thinks it is."""


def _in_utc(moment: datetime) -> datetime:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("moment_beyond", "must lie in the years 1 to 9999") from None
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment that somebody asks about: with a time zone, and one that UTC has a year for."""


def business_day(now: datetime) -> date:
    """Return the business day of a moment."""
    return now.astimezone(BUSINESS_ZONE).date()


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


class HandClock:
    """A clock that stands until it is moved: for tests and for rehearsals."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the moment the clock was last set to."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the clock forward by ``by``."""
        self._now += by
