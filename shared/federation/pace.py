"""How fast and when the ``bulk`` lane may go, so that mass data leaves the line to everything else.

A *window* is a daily stretch of business time outside of which nothing is begun; a *rate* is how many bytes a second
may go on average. Both are the sender's own choice (settings ``bulk_window`` and ``bulk_bytes_per_second``).
"""

from datetime import datetime, time, timedelta
from typing import Self

from shared.kernel.clock import BUSINESS_ZONE


class Pace:
    """The pace of one sender.

    Args:
        window: from when to when, in business time; always without it. It may reach over midnight.
        bytes_per_second: how fast on average; as fast as it can without it.
    """

    def __init__(self, window: tuple[time, time] | None, bytes_per_second: int | None) -> None:
        self._window = window
        self._rate = bytes_per_second
        self._paid_until: datetime | None = None

    @classmethod
    def of(cls, window: str | None, bytes_per_second: int | None) -> Self:
        """Return the pace that the settings say: ``"22:00-06:00"``."""
        if window is None:
            return cls(None, bytes_per_second)
        start, _, end = window.partition("-")
        return cls((time.fromisoformat(start), time.fromisoformat(end)), bytes_per_second)

    def spend(self, size: int, now: datetime) -> None:
        """Note that ``size`` bytes were sent."""
        if self._rate:
            begun = max(self._paid_until or now, now)
            self._paid_until = begun + timedelta(seconds=size / self._rate)

    def seconds_to_wait(self, now: datetime) -> float:
        """Return after how many seconds the next may be sent; 0 for at once."""
        until = max(self._opens(now), self._paid_until or now)
        return max((until - now).total_seconds(), 0.0)

    def _opens(self, now: datetime) -> datetime:
        if self._window is None:
            return now
        start, end = self._window
        here = now.astimezone(BUSINESS_ZONE)
        is_open = (
            start <= here.time() < end
            if start <= end
            else here.time() >= start or here.time() < end
        )
        if is_open:
            return now
        opens = datetime.combine(here.date(), start, BUSINESS_ZONE)
        return opens if opens > here else opens + timedelta(days=1)
