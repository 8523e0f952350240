"""Points as anybody would keep them on paper: lots by day, and what each redemption took."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

from shared.policy.kinds.points import DEFAULT, issue_day


class Refused(Exception):
    """It cannot be done, and nothing was."""


@dataclass
class Taken:
    """A redemption."""

    who: int
    parts: dict[date, int]
    state: str = "open"


@dataclass
class Paper:
    """The books."""

    today: date
    lots: dict[int, dict[date, int]] = field(default_factory=lambda: defaultdict(dict))
    frozen: set[int] = field(default_factory=set)
    redemptions: list[Taken] = field(default_factory=list)
    bills: list[tuple[int, date, int]] = field(default_factory=list)
    """Whose, the month, and what the bill has earned."""

    def add(self, who: int, day: date, points: int) -> None:
        self.lots[who][day] = self.lots[who].get(day, 0) + points

    def take(self, who: int, points: int) -> dict[date, int]:
        usable = {day: have for day, have in self.lots[who].items() if day > self.today}
        if sum(usable.values()) < points:
            raise Refused
        parts: dict[date, int] = {}
        for day in sorted(usable):
            part = min(usable[day], points)
            if part:
                parts[day] = part
                self.lots[who][day] -= part
                points -= part
        return parts

    def bill(self, who: int, month: date, fen: int) -> None:
        day = DEFAULT.expires_on(issue_day(month))
        earned = fen // 100 if day > self.today else 0
        self.add(who, day, earned)
        self.bills.append((who, month, earned))

    def correct(self, index: int, fen: int) -> None:
        who, month, had = self.bills[index]
        day = DEFAULT.expires_on(issue_day(month))
        if day <= self.today:
            return
        change = max(fen // 100 - had, -self.lots[who].get(day, 0))
        self.add(who, day, change)
        self.bills[index] = (who, month, had + change)

    def redeem(self, who: int, points: int) -> None:
        if who in self.frozen:
            raise Refused
        self.redemptions.append(Taken(who, self.take(who, points)))

    def give_back(self, index: int) -> None:
        taken = self.redemptions[index]
        grace = self.today + timedelta(days=DEFAULT.reversal_grace_days + 1)
        for day, points in taken.parts.items():
            self.add(taken.who, day if day > self.today else grace, points)

    def adjust(self, who: int, points: int) -> None:
        if points > 0:
            self.add(who, DEFAULT.expires_on(self.today), points)
        else:
            self.take(who, -points)

    def transfer(self, giver: int, receiver: int, points: int) -> None:
        if giver in self.frozen:
            raise Refused
        for day, part in self.take(giver, points).items():
            self.add(receiver, day, part)

    def expire(self) -> None:
        for lots in self.lots.values():
            for day in [day for day in lots if day <= self.today]:
                del lots[day]

    def shown(self, who: int) -> dict[str, int]:
        return {day.isoformat(): n for day, n in sorted(self.lots[who].items()) if n}
