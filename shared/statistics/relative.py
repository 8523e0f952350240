"""Periods that move with the calendar, for questions that are kept: ``last_month``, ``last_12_months``."""

import re
from datetime import datetime

from shared.statistics.period import Period, PeriodKind

_LAST = re.compile(r"last_([1-9]\d{0,2})_(months|days)")
_SINGLE = {"last_month": ("1", "months"), "yesterday": ("1", "days")}
_PRESENT = {"this_month": PeriodKind.MONTH, "today": PeriodKind.DAY}
MOST = 400
_KINDS = {"months": PeriodKind.MONTH, "days": PeriodKind.DAY}
RELATIVE = ("this_month", "last_month", "last_12_months", "today", "yesterday", "last_30_days")
"""Examples of what can be said; any number up to :data:`MOST` may stand in the place of theirs."""


def relative_periods(words: str, now: datetime) -> list[Period] | None:
    """Return the periods that are meant at a moment, in order; ``None`` if the words name none.

    What is over counts: the last twelve months end with the month before the present one.
    """
    if words in _PRESENT:
        return [Period.at(now, _PRESENT[words])]
    found = _LAST.fullmatch(words)
    count, unit = found.groups() if found else _SINGLE.get(words, ("", ""))
    if not count or int(count) > MOST:
        return None
    periods = [Period.at(now, _KINDS[unit]).previous]
    while len(periods) < int(count):
        periods.append(periods[-1].previous)
    return periods[::-1]
