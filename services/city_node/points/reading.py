"""The policy of points in plain words: what one bill earns. The SQL of :mod:`.terms` says the same of a whole city."""

from dataclasses import dataclass
from datetime import date

from shared.policy.kinds.points import Campaign, LevelName, PointsPolicy, issue_day

PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class BillFacts:
    """What the policy asks about a bill, its line and its customer."""

    period: date
    charge_fen: int
    is_paid: bool
    level: LevelName
    kind: str
    entry_date: date
    birth_date: date | None
    brand: str | None
    rating: str | None


@dataclass(frozen=True, slots=True)
class Earned:
    """What a bill earns, and on the way to it."""

    charge_fen: int
    rate_permille: int
    campaign: str | None
    points: int
    expires_on: date


def judge(policy: PointsPolicy, bill: BillFacts) -> Earned:
    """Return what a bill earns."""
    charge = counted(policy, bill)
    rate = rate_of(policy, bill)
    campaign = campaign_of(policy, bill)
    times = policy.campaigns[campaign].permille if campaign else PERMILLE
    return Earned(
        charge,
        rate,
        campaign,
        charge * rate * times // (policy.fen_per_point * PERMILLE * PERMILLE),
        policy.expires_on(issue_day(bill.period)),
    )


def counted(policy: PointsPolicy, bill: BillFacts) -> int:
    """Return the fen of a bill that count."""
    too_early = policy.first_period is not None and bill.period < policy.first_period
    if too_early or (policy.only_when_paid and not bill.is_paid):
        return 0
    return max(bill.charge_fen, 0)


def rate_of(policy: PointsPolicy, bill: BillFacts) -> int:
    """Return the rate by level, tenure and credit."""
    rate: int = getattr(policy.level_permille, bill.level)
    issued = issue_day(bill.period)
    years = issued.year - bill.entry_date.year
    years -= (issued.month, issued.day) < (bill.entry_date.month, bill.entry_date.day)
    rate += next((bonus.permille for bonus in policy.tenure if years >= bonus.years), 0)
    return rate + policy.credit_permille.get(bill.rating or "", 0)


def campaign_of(policy: PointsPolicy, bill: BillFacts) -> str | None:
    """Return the best campaign whose conditions the bill meets; of equals the first by code."""
    found = [code for code, campaign in best_first(policy) if _meets(campaign, bill)]
    return found[0] if found else None


def best_first(policy: PointsPolicy) -> list[tuple[str, Campaign]]:
    """Return the campaigns, the best first."""
    return sorted(policy.campaigns.items(), key=lambda item: (-item[1].permille, item[0]))


def _meets(campaign: Campaign, bill: BillFacts) -> bool:
    return (
        campaign.first_period <= bill.period <= campaign.last_period
        and (not campaign.levels or bill.level in campaign.levels)
        and (campaign.kind is None or bill.kind == campaign.kind)
        and (not campaign.brands or bill.brand in campaign.brands)
        and bill.charge_fen >= campaign.minimum_fen
        and (
            not campaign.birthday_month
            or (bill.birth_date is not None and bill.birth_date.month == bill.period.month)
        )
    )
