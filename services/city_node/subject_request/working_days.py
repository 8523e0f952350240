"""Working days, as deadlines count them."""

from datetime import date, timedelta

_SATURDAY = 5


def after(day: date, days: int) -> date:
    """Return the day that is ``days`` working days, Monday to Friday, after ``day``.

    Public holidays are not left out: the deadline is then earlier than it need be, and never later.
    """
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < _SATURDAY
    return day
