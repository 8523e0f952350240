"""The policy of points as SQL: what bills earn, a portion of a city at a time.

:mod:`.reading` says the same in plain words, and a test compares the two.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.city_node.points.due import Portion
from services.city_node.points.reading import PERMILLE, best_first
from shared.policy.kinds.points import Campaign, PointsPolicy

# ruff: noqa: S608 - put together from declarations; what documents say is bound, or a whole number
RATINGS = "SELECT customer_id, rating FROM credit_result WHERE until IS NULL"
"""Where credit ratings come from: customers and the rating that each has. Without any, nobody has a bonus for it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A policy with its reference, and the months whose bills it judges: from ``first`` up to ``last``, first days."""

    policy: PointsPolicy
    reference: str
    basis: int
    first: date
    last: date


@dataclass
class _Values:
    """The values of a statement, which name themselves as they are added."""

    given: list[Any] = field(default_factory=list)

    def add(self, value: Any, kind: str) -> str:
        self.given.append(value)
        return f"${len(self.given)}::{kind}"


def earned(
    terms: Terms, portion: Portion, today: date, *, ratings: str = RATINGS
) -> tuple[str, list[Any]]:
    """Return the query for the bills of a portion that earn otherwise than the ledger has, and its values.

    A bill that was judged before keeps the level and the rate of that time; bills whose points would have expired by
    ``today`` are left out, and so are those of customers who were erased.
    """
    policy = terms.policy
    bills, given = portion.joined_to("bill b", "b.id")
    values = _Values([*given])
    since, until = values.add(terms.first, "date"), values.add(terms.last, "date")
    campaigns = best_first(policy)
    meets = {code: _meets(campaign, values) for code, campaign in campaigns}
    chosen = _case(((meets[code], f"'{code}'") for code, _ in campaigns), "NULL::text")
    by_code = ((f"f.campaign = '{code}'", f"{each.permille:d}") for code, each in campaigns)
    times = _case(by_code, f"{PERMILLE}")
    lines = any(campaign.brands for campaign in policy.campaigns.values())
    join_line = "JOIN subscription s ON s.id = b.subscription_id" if lines else ""
    join_rating = f"LEFT JOIN ({ratings}) k ON k.customer_id = c.id" if policy.credit_permille else ""  # fmt: skip
    per = policy.fen_per_point * PERMILLE * PERMILLE
    statement = f"""
        SELECT d.bill_id, d.customer_id, d.account_id, d.charge_fen, d.level, d.rate_permille, f.campaign,
               div(d.charge_fen::numeric * d.rate_permille * {times}, {per})::bigint AS points,
               d.was, d.expires_on, {terms.basis:d} AS basis_id
        FROM (SELECT b.id AS bill_id, b.customer_id, b.period, b.charge_fen AS billed_fen, coalesce(a.account_id, o.id) AS account_id,
                     t.counted AS charge_fen, coalesce(a.level, c.level) AS level,
                     coalesce(a.rate_permille, {_rate(policy)}) AS rate_permille, c.kind, c.birth_date,
                     {"s.brand" if lines else "NULL::text AS brand"}, coalesce(a.points, 0) AS was,
                     coalesce(a.expires_on, {_expires(policy)}) AS expires_on
              FROM {bills} AND b.period >= {since} AND b.period < {until}
              JOIN customer c ON c.id = b.customer_id AND c.library <> 'erased' {join_line} {join_rating}
              LEFT JOIN points_accrual a ON a.bill_id = b.id
              LEFT JOIN points_account o ON o.customer_id = c.id AND o.is_primary
              CROSS JOIN LATERAL (SELECT {_counted(policy, values)} AS counted OFFSET 0) t
              WHERE coalesce(a.charge_fen, 0) <> t.counted) d
        CROSS JOIN LATERAL (SELECT {chosen} AS campaign OFFSET 0) f
        WHERE d.expires_on > {values.add(today, "date")}"""
    return statement, values.given


def _case(branches: Iterable[tuple[str, str]], otherwise: str) -> str:
    listed = " ".join(f"WHEN {condition} THEN {value}" for condition, value in branches)
    return f"CASE {listed} ELSE {otherwise} END" if listed else otherwise


def _counted(policy: PointsPolicy, values: _Values) -> str:
    refusals = []
    if policy.first_period is not None:
        refusals.append(f"b.period < {values.add(policy.first_period, 'date')}")
    if policy.only_when_paid:
        refusals.append("b.paid_on IS NULL")
    charge = "greatest(b.charge_fen, 0)"
    return f"CASE WHEN {' OR '.join(refusals)} THEN 0 ELSE {charge} END" if refusals else charge


def _rate(policy: PointsPolicy) -> str:
    rates = policy.level_permille.model_dump()
    level = " ".join(f"WHEN '{name}' THEN {rate:d}" for name, rate in rates.items())
    parts = [f"CASE c.level {level} END"]
    if policy.tenure:
        # Years up to the day of issue, the first of the month after the billed one.
        since = " ".join(
            f"WHEN c.entry_date <= b.period + interval '1 month' - interval '{bonus.years:d} years' THEN {bonus.permille:d}"
            for bonus in policy.tenure
        )
        parts.append(f"CASE {since} ELSE 0 END")
    if policy.credit_permille:
        credit = " ".join(f"WHEN '{r}' THEN {rate:d}" for r, rate in policy.credit_permille.items())
        parts.append(f"CASE k.rating {credit} ELSE 0 END")
    return " + ".join(parts)


def _expires(policy: PointsPolicy) -> str:
    if policy.expiry_end == "year":
        return f"(date_trunc('year', b.period + interval '{policy.expiry_months:d} months') + interval '1 year')::date"
    return f"(b.period + interval '{policy.expiry_months + 1:d} months')::date"


def _meets(campaign: Campaign, values: _Values) -> str:
    first = values.add(campaign.first_period, "date")
    last = values.add(campaign.last_period, "date")
    conditions = [f"d.period BETWEEN {first} AND {last}"]
    if campaign.levels:
        conditions.append(f"d.level = ANY({values.add(list(campaign.levels), 'text[]')})")
    if campaign.kind is not None:
        conditions.append(f"d.kind = '{campaign.kind}'")
    if campaign.brands:
        conditions.append(f"d.brand = ANY({values.add(list(campaign.brands), 'text[]')})")
    if campaign.minimum_fen:
        conditions.append(f"d.billed_fen >= {campaign.minimum_fen:d}")
    if campaign.birthday_month:
        conditions.append("extract(month FROM d.birth_date) = extract(month FROM d.period)")
    return " AND ".join(conditions)
