"""Periods: the calendar months and days, in Asia/Shanghai, that figures are computed for."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import total_ordering
from typing import Self

from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem

_FIRST_YEAR, _LAST_YEAR = 1970, 2999
YEAR = 12 * 31
"""By how much :attr:`Period.place_in_calendar` grows in a year."""
_LONGEST_ECHO = 40
_MONTH_LENGTH = len("2026-11")
_FORMATS = {_MONTH_LENGTH: "%Y-%m", len("2026-11-23"): "%Y-%m-%d"}


class PeriodInvalid(Problem, ValueError):
    """A period that no calendar has."""

    status = 422
    title = Text("Period invalid", "期间无效")
    sentence = Text(
        "'{given}' is no period: give a month such as 2026-11 or a day such as 2026-11-23.",
        "“{given}”不是有效期间：请填写月份（如 2026-11）或日期（如 2026-11-23）。",
    )

    def __init__(self, given: str, pointer: str = "query:period") -> None:
        super().__init__(
            faults=[
                Fault(
                    pointer, "a month YYYY-MM or a day YYYY-MM-DD", "月份 YYYY-MM 或日期 YYYY-MM-DD"
                )
            ],
            given=given[:_LONGEST_ECHO],
        )


class PeriodKind(StrEnum):
    """How long a period is."""

    MONTH = "month"
    DAY = "day"


@total_ordering
@dataclass(frozen=True, slots=True)
class Period:
    """A calendar month or day: from ``start`` up to, and without, ``end``."""

    kind: PeriodKind
    start: date

    @classmethod
    def parse(cls, text: str, pointer: str = "query:period") -> Self:
        """Read ``2026-11`` or ``2026-11-23``; ``pointer`` is where a problem will say that it lies.

        Raises:
            PeriodInvalid: if it is neither.
        """
        try:
            start = datetime.strptime(text, _FORMATS[len(text)]).date()  # noqa: DTZ007 - a date has no zone
        except (KeyError, ValueError):
            raise PeriodInvalid(text, pointer) from None
        period = cls(PeriodKind.MONTH if len(text) == _MONTH_LENGTH else PeriodKind.DAY, start)
        if str(period) != text or not _FIRST_YEAR <= start.year <= _LAST_YEAR:
            raise PeriodInvalid(text, pointer)  # what strptime takes besides: 2026-1-123, year 1
        return period

    @classmethod
    def at(cls, moment: datetime, kind: PeriodKind = PeriodKind.MONTH) -> Self:
        """Return the month or day in which ``moment`` falls in China."""
        return cls.of(moment.astimezone(BUSINESS_ZONE).date(), kind)

    @classmethod
    def of(cls, day: date, kind: PeriodKind) -> Self:
        """Return the month or day in which ``day`` falls."""
        return cls(kind, day.replace(day=1) if kind is PeriodKind.MONTH else day)

    @property
    def end(self) -> date:
        """The first day after it."""
        if self.kind is PeriodKind.DAY:
            return self.start + timedelta(days=1)
        # Day 1 plus 31 days lies in the next month, whatever the month's length.
        return (self.start + timedelta(days=31)).replace(day=1)

    @property
    def next(self) -> Self:
        """The period after it."""
        return type(self)(self.kind, self.end)

    @property
    def previous(self) -> Self:
        """The period before it."""
        return self.at_date(self.start - timedelta(days=1))

    @property
    def with_days(self) -> tuple[Self, ...]:
        """It and, if it is a month, its days."""
        if self.kind is PeriodKind.DAY:
            return (self,)
        days = (self.end - self.start).days
        return (
            self,
            *(
                type(self)(PeriodKind.DAY, self.start + timedelta(days=each))
                for each in range(days)
            ),
        )

    @property
    def ordinal(self) -> int:
        """Its place among all periods of its kind: the one before has the number before."""
        month = self.start.year * 12 + self.start.month
        return month if self.kind is PeriodKind.MONTH else self.start.toordinal()

    @property
    def place_in_calendar(self) -> int:
        """A number that is :data:`YEAR` greater than that of the same month or day a year before."""
        return (self.start.year * 12 + self.start.month) * 31 + self.start.day

    @property
    def volume(self) -> int:
        """The partition that its facts are kept in: its calendar month, counted from 1970; of days, below zero."""
        month = (self.start.year - _FIRST_YEAR) * 12 + self.start.month
        return month if self.kind is PeriodKind.MONTH else -month

    @property
    def year_before(self) -> Self | None:
        """The same month or day a year before; a leap day has none."""
        try:
            return type(self)(self.kind, self.start.replace(year=self.start.year - 1))
        except ValueError:
            return None

    def at_date(self, day: date) -> Self:
        """Return the period of this kind in which ``day`` falls."""
        return self.of(day, self.kind)

    def __str__(self) -> str:
        iso = self.start.isoformat()
        return iso[:_MONTH_LENGTH] if self.kind is PeriodKind.MONTH else iso

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Period):
            return NotImplemented
        return (self.start, self.end) < (other.start, other.end)


def month_of_volume(volume: int) -> Period:
    """Return the calendar month of a :attr:`Period.volume`."""
    year, month = divmod(abs(volume) - 1, 12)
    return Period(PeriodKind.MONTH, date(_FIRST_YEAR + year, month + 1, 1))
