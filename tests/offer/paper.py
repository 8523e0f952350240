"""Offers as anybody would keep them on paper: lists of grants, counted anew for each question."""

from dataclasses import dataclass, field
from datetime import date

from shared.policy.kinds.offer import OFFER


class Refused(Exception):
    """It cannot be done, and nothing was."""


@dataclass
class Sort:
    """An offer on paper."""

    cost: int
    approval: int
    clashes: frozenset[str]
    until: date | None = None


@dataclass
class Slip:
    """A grant on paper: every use is a line, crossed out if it was given back."""

    who: int
    offer: str
    purse: int | None
    """Whose quota: a place, -1 for the city, nothing if there is none."""
    uses: int
    by: str
    on: date
    until: date
    state: str
    lines: list[bool] = field(default_factory=list)

    @property
    def used(self) -> int:
        return sum(self.lines)

    @property
    def counts(self) -> int:
        return self.uses if self.state in {"proposed", "open"} else self.used


@dataclass
class Person:
    """A customer on paper."""

    level: str
    place: int
    here: bool = True


def quarter(day: date) -> tuple[int, int]:
    """Return the quarter of a day, by which the shipped policy counts."""
    return day.year, (day.month - 1) // 3


def after_quarter(day: date) -> date:
    """Return the first day of the next quarter."""
    first = (day.month - 1) // 3 * 3 + 4
    return date(day.year + (first > 12), 1 if first > 12 else first, 1)


@dataclass
class Paper:
    """The books."""

    today: date
    people: list[Person]
    offers: dict[str, Sort]
    purses: dict[tuple[str, int], tuple[int | None, int | None]] = field(default_factory=dict)
    slips: list[Slip] = field(default_factory=list)

    def reserved(self, offer: str, purse: int) -> tuple[int, int]:
        uses = sum(s.counts for s in self.slips if (s.offer, s.purse) == (offer, purse))
        return uses, uses * self.offers[offer].cost

    def set_purse(self, offer: str, purse: int, uses: int | None, fen: int | None) -> None:
        held = self.reserved(offer, purse)
        if (uses is not None and uses < held[0]) or (fen is not None and fen < held[1]):
            raise Refused
        self.purses[offer, purse] = (uses, fen)

    def grant(self, who: int, offer: str, uses: int, by: str) -> None:
        person, sort = self.people[who], self.offers[offer]
        mine = [s for s in self.slips if s.who == who]
        entitled: int = getattr(OFFER.default.entitlement.uses, person.level)
        taken = sum(
            s.counts for s in mine if s.offer == offer and quarter(s.on) == quarter(self.today)
        )
        holds = {s.offer for s in mine if s.state in {"proposed", "open"} and s.until > self.today}
        if not person.here or taken + uses > entitled or holds & sort.clashes:
            raise Refused
        purse = next((p for p in (person.place, -1) if (offer, p) in self.purses), None)
        if purse is not None:
            held, limits = self.reserved(offer, purse), self.purses[offer, purse]
            if limits[0] is not None and held[0] + uses > limits[0]:
                raise Refused
            if limits[1] is not None and held[1] + uses * sort.cost > limits[1]:
                raise Refused
        state = "proposed" if uses * sort.cost > sort.approval else "open"
        until = after_quarter(self.today)
        until = until if sort.until is None else min(until, sort.until)
        self.slips.append(Slip(who, offer, purse, uses, by, self.today, until, state))

    def decide(self, index: int, by: str, *, approve: bool) -> None:
        slip = self.slips[index]
        if slip.state != "proposed" or slip.by == by:
            raise Refused
        if approve and (slip.until <= self.today or not self.people[slip.who].here):
            raise Refused
        slip.state = "open" if approve else "closed"

    def use(self, index: int) -> None:
        slip = self.slips[index]
        usable = slip.state == "open" and slip.until > self.today and slip.used < slip.uses
        if not usable or not self.people[slip.who].here:
            raise Refused
        slip.lines.append(True)

    def give_back(self, index: int, line: int) -> None:
        slip = self.slips[index]
        if not slip.lines[line]:
            raise Refused
        slip.lines[line] = False

    def cancel(self, index: int) -> None:
        slip = self.slips[index]
        if slip.state == "closed" or slip.used == slip.uses:
            raise Refused
        slip.state = "closed"

    def night(self) -> None:
        for slip in self.slips:
            over = slip.until <= self.today or not self.people[slip.who].here
            if over and slip.used < slip.uses:
                slip.state = "closed"
