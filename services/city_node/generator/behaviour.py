"""How a customer spends, pays, complains and leaves, month by month: the causes and the chances.

Everything that is tuned stands here as a number with a name.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import exp

from services.city_node.customer.models import ContractTerm, Level

SEASON = (1.06, 1.12, 0.97, 0.98, 1.00, 0.99, 1.02, 1.03, 1.01, 1.05, 0.98, 1.00)
"""January to December: the Spring Festival, the summer, the holidays of October."""
MEDIAN_CHARGE_FEN = {False: 20_000, True: 38_000}
SPREAD = {False: 0.85, True: 1.10}
"""Of the logarithm of a line's charge, of individuals and of groups."""
NOISE = 0.12
DECLINERS = 0.10
DECLINE_A_MONTH = (0.62, 0.90)
POOR_PAYERS, POOR_UNPAID, GOOD_UNPAID = 0.05, 0.30, 0.004
COMPLAINTS, COMPLAINTS_IN_DECLINE, INQUIRIES = 0.012, 0.06, 0.05
CHURN, CHURN_IN_DECLINE, CHURN_AFTER_COMPLAINT, CHURN_FOR_UNPAID = 0.002, 0.05, 0.05, 0.025
MOST_UNPAID = 3
BOUND = {
    ContractTerm.NONE.value: 1.3,
    ContractTerm.MONTHLY.value: 1.0,
    ContractTerm.ONE_YEAR.value: 0.5,
    ContractTerm.TWO_YEAR.value: 0.25,
}
"""What a contract does to the chance of leaving."""
THRESHOLDS = (
    (170_000, Level.DIAMOND.value),
    (70_000, Level.GOLD.value),
    (30_000, Level.SILVER.value),
)
"""Mean monthly charge, in fen, from which a level is reached."""
COMPLAINT_LASTS = 2
_TABLE_BITS = 12
_WAVERING = [
    exp(random.Random(each).gauss(0, NOISE))  # noqa: S311 - a table that is always the same
    for each in range(1 << _TABLE_BITS)
]
"""Drawing from a table of factors takes a fifth of the time of drawing a factor."""


@dataclass(slots=True)
class Month:
    """One month as it was for a customer."""

    first: date
    charges: list[int]
    unpaid: bool
    complained: bool
    inquired: bool


@dataclass(slots=True)
class Course:
    """What became of a customer over the months."""

    months: list[Month] = field(default_factory=list)
    left_on: date | None = None
    left_reason: str | None = None

    @property
    def billed_fen(self) -> int:
        """The sum of all bills."""
        return sum(sum(month.charges) for month in self.months)


def base_charges(chance: random.Random, lines: int, *, group: bool) -> list[float]:
    """Return what each line costs in a plain month."""
    median, spread = MEDIAN_CHARGE_FEN[group], SPREAD[group]
    return [median * exp(chance.gauss(0, spread)) for _ in range(lines)]


def live(
    chance: random.Random, bases: Sequence[float], contract: str, months: Sequence[date]
) -> Course:
    """Draw the course of a customer whose lines cost ``bases``, over ``months`` or until it leaves."""
    course, draw = Course(), chance.random
    falls_from = int(draw() * len(months)) if draw() < DECLINERS else len(months)
    fall = DECLINE_A_MONTH[0] + draw() * (DECLINE_A_MONTH[1] - DECLINE_A_MONTH[0])
    unpaid_chance = POOR_UNPAID if draw() < POOR_PAYERS else GOOD_UNPAID
    strength, unpaid, complained_at = 1.0, 0, -COMPLAINT_LASTS
    for at, first in enumerate(months):
        declining = at >= falls_from
        if declining:
            strength *= fall
        season = SEASON[first.month - 1] * strength
        month = Month(
            first,
            [int(base * season * _WAVERING[chance.getrandbits(_TABLE_BITS)]) for base in bases],
            unpaid=draw() < unpaid_chance,
            complained=draw() < (COMPLAINTS_IN_DECLINE if declining else COMPLAINTS),
            inquired=draw() < INQUIRIES,
        )
        course.months.append(month)
        unpaid += month.unpaid
        if month.complained:
            complained_at = at
        causes = (
            ("price", CHURN_IN_DECLINE * (1 - strength) if declining else 0.0),
            ("service", CHURN_AFTER_COMPLAINT if at - complained_at < COMPLAINT_LASTS else 0.0),
            ("arrears", CHURN_FOR_UNPAID * min(unpaid, MOST_UNPAID)),
            ("moved", CHURN),
        )
        if draw() < BOUND[contract] * sum(weight for _, weight in causes):
            course.left_on = first + timedelta(days=chance.randrange(28))
            course.left_reason = chance.choices(
                [reason for reason, _ in causes], [weight for _, weight in causes]
            )[0]
            break
    return course


def level_of(mean_monthly_fen: float) -> str:
    """Return the level that a mean monthly charge reaches."""
    for least, level in THRESHOLDS:
        if mean_monthly_fen >= least:
            return level
    return Level.STANDARD.value
