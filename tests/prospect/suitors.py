"""The people of an evaluated city with what prospects are found by besides: plainly, and as rows of its database."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation.facts import Window
from services.city_node.prospect.rule import Terms
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.database import copy_rows
from shared.policy.kinds.prospect import (
    PROSPECT,
    Competitor,
    Growing,
    Near,
    ProspectPolicy,
    TargetPoints,
)
from tests.evaluation.folk import (
    LEVELS,
    MADE,
    MONTHS,
    Someone,
    empty,
    folk,
    known,
    settle_in,
    some_day,
)

OPERATORS = ["中国联通", "中国电信", "Beta", "alpha"]
Use = tuple[str, int | None, int | None, date | None, date | None, date | None]
Earlier = tuple[str, str, datetime | None, str | None]


@dataclass
class Suitor:
    """Somebody with competitors' products, a wish, and what they were as prospects before.

    ``uses`` are (operator, share, fee, since, until, end of the contract there), ``earlier`` prospects (state, target,
    closed at, ending).
    """

    someone: Someone
    uses: list[Use] = field(default_factory=list)
    refuses: bool = False
    earlier: list[Earlier] = field(default_factory=list)


def suitors(seed: object, number: int, *, fresh: bool = False) -> list[Suitor]:
    """The people of a city; the same for the same seed. Nobody was a prospect before, if they are ``fresh``."""
    chance = random.Random(f"suitors {seed}")  # noqa: S311 - a draw that can be repeated
    found = []
    for someone in folk(seed, number):
        each = Suitor(someone, refuses=chance.random() < 0.1)
        if chance.random() < 0.4:
            start, step = (
                chance.choice([0, 5_000, 20_000, 60_000]),
                chance.choice([500, 2_000, 9_000]),
            )
            noise = [chance.choice([0, 0, -3_000, 4_000]) for _ in MONTHS]
            someone.bills = [
                (month, start + step * place + noise[place], None)
                for place, month in enumerate(MONTHS)
            ]
        for _ in range(chance.choice([0, 0, 1, 2])):
            each.uses.append(_some_use(chance))
        if not fresh:
            each.earlier = _some_earlier(chance)
        found.append(each)
    return found


def _some_use(chance: random.Random) -> Use:
    since = None if chance.random() < 0.3 else some_day(chance)
    until = None
    if since is not None and chance.random() < 0.4:
        until = since + timedelta(days=chance.choice([1, 40]))
    return (
        chance.choice(OPERATORS),
        chance.choice([None, 0, 20, 50, 99, 100]),
        chance.choice([None, None, 0, 4_999, 30_000, 90_000]),
        since,
        until,
        chance.choice([None, some_day(chance)]),
    )


def _some_earlier(chance: random.Random) -> list[Earlier]:
    found: list[Earlier] = []
    edge = datetime(2026, chance.choice([5, 6, 8, 10]), 1, tzinfo=BUSINESS_ZONE)
    closed = edge + timedelta(seconds=chance.choice([-1, 0, 86_400]))
    target = chance.choice(LEVELS[1:])
    if chance.random() < 0.3:
        state, ending = chance.choice(
            [
                *(("disqualified", "one_off"), ("dropped", "not_interested"), ("dropped", "left")),
                *(("dropped", "merged"), ("lapsed", None), ("converted", None)),
            ]
        )
        found.append((state, target, closed, ending))
    if chance.random() < 0.3:
        state = chance.choice(["found", "qualified", "nurtured"])
        found.append((state, chance.choice(LEVELS[1:]), None, None))
    return found


def person_of(people: Sequence[Suitor]) -> list[Someone]:
    """Return whom an evaluation sees."""
    return [each.someone for each in people]


async def settle_suitors(session: AsyncSession, people: Sequence[Suitor]) -> None:
    """Put people into a city's tables, in the place of whoever is there."""
    await session.execute(
        text("TRUNCATE competitor_use, preference, prospect_step, prospect, prospect_event CASCADE")
    )
    await empty(session)
    await settle_in(session, person_of(people))
    uses: list[tuple[object, ...]] = []
    wishes: list[tuple[object, ...]] = []
    earlier: list[tuple[object, ...]] = []
    for each in people:
        key = each.someone.id.int
        for place, use in enumerate(each.uses):
            uses.append((_id(key, 300 + place), each.someone.id, "broadband", *use))
        if each.refuses:
            wishes.append((_id(key, 400), each.someone.id, "marketing", "refused"))
        wishes.append((_id(key, 401), each.someone.id, "interest", "refused"))
        for place, (state, target, closed, ending) in enumerate(each.earlier):
            judged = (state, target, 1, list[str](), "{}", MADE.date(), "p", MADE)
            earlier.append((_id(key, 500 + place), each.someone.id, *judged, closed, ending))
    held = ("id", "customer_id", "category", "operator", "share_percent", "monthly_fee_fen")
    await copy_rows(session, "competitor_use", (*held, "since", "until", "expires_on"), uses)
    await copy_rows(session, "preference", ("id", "customer_id", "topic", "value"), wishes)
    columns = ("id", "customer_id", "state", "target", "score", "signals", "used", "as_of")
    await copy_rows(
        session, "prospect", (*columns, "policy", "found_at", "closed_at", "ending"), earlier
    )


def _id(key: int, place: int) -> UUID:
    return UUID(int=(key + place) % 2**128)


def all_known(
    each: Suitor, people: Sequence[Suitor], terms: Terms, window: Window
) -> dict[str, Any]:
    """What the relation of facts is to say of somebody, counted plainly."""
    n = terms.prospect.growing.trend_months
    months = [month for month in MONTHS if month < window.end][-n:]
    first = _months_before(window.end, n)
    by_month = [
        sum(
            charge
            for at, charge, _ in each.someone.bills
            if at == _months_before(window.end, n - i)
        )
        for i in range(n)
    ]
    assert not months or months[0] >= first
    uses = [
        use
        for use in each.uses
        if (use[3] is None or use[3] <= window.on) and (use[4] is None or use[4] > window.on)
    ]
    open_one = next((one for one in each.earlier if one[2] is None), None)
    rest = _months_before(window.end, terms.prospect.rest_months)
    begun = datetime(rest.year, rest.month, 1, tzinfo=BUSINESS_ZONE)
    return {
        **known(each.someone, person_of(people), window),
        "trend_fen": sum(by_month),
        "trend_weighted": sum((2 * i - (n - 1)) * charge for i, charge in enumerate(by_month)),
        "competitor_fee_fen": sum(use[2] or 0 for use in uses),
        "competitor_share": max((use[1] or 0 for use in uses if use[2] is None), default=0),
        "competitors": "、".join(sorted({use[0] for use in uses})) or None,
        "competitor_expires_on": _text(min((use[5] for use in uses if use[5]), default=None)),
        "refuses": each.refuses,
        "was_target": LEVELS.index(open_one[1]) if open_one else None,
        "was_worked": open_one is not None and open_one[0] != "found",
        "resting": any(
            state in {"disqualified", "dropped"}
            and closed is not None
            and closed >= begun
            and ending not in {"left", "merged"}
            for state, _, closed, ending in each.earlier
        ),
    }


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _months_before(day: date, months: int) -> date:
    for _ in range(months):
        day = (day - timedelta(days=1)).replace(day=1)
    return day


POINTS = some.integers(0, 500)


@some.composite
def prospect_policies(draw: some.DrawFn) -> ProspectPolicy:
    """Draw a policy of prospects."""
    return PROSPECT.default.model_copy(
        update={
            "minimum_months": draw(some.integers(1, 6)),
            "near": Near(within_permille=draw(some.integers(0, 1000)), points=draw(POINTS)),
            "growing": Growing(
                trend_months=draw(some.integers(3, 14)),
                within_months=draw(some.integers(0, 24)),
                minimum_growth_permille=draw(some.sampled_from([0, 10, 30, 200])),
                points=draw(POINTS),
            ),
            "competitor": Competitor(
                minimum_fen=draw(some.sampled_from([0, 1, 5_000, 30_000])),
                share_weight_permille=draw(some.sampled_from([0, 1, 500, 1000])),
                points=draw(POINTS),
            ),
            "target_points": TargetPoints(
                diamond=draw(POINTS), gold=draw(POINTS), silver=draw(POINTS)
            ),
            "minimum_score": draw(some.sampled_from([0, 0, 50, 300])),
            "rest_months": draw(some.integers(0, 8)),
        }
    )
