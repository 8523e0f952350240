"""May a customer have an offer? Every rule that says no, from what is known; no query, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from services.city_node.customer.models import Level, Library
from services.city_node.offer.models import Offer
from shared.kernel.language import Language, Text
from shared.policy.kinds.offer import Entitlement


class Rule(StrEnum):
    """What may stand in the way, in the order in which it is told."""

    IN_NETWORK = "in_network"
    VALIDITY = "validity"
    UNIT = "unit"
    LEVEL = "level"
    CONDITION = "condition"
    ENTITLEMENT = "entitlement"
    CONFLICT = "conflict"
    QUOTA = "quota"
    BUDGET = "budget"


SENTENCES: Mapping[Rule, Text] = {
    Rule.IN_NETWORK: Text(
        "The customer has left the network.",
        "客户已离网。",
    ),
    Rule.VALIDITY: Text(
        "The offer is granted from {since} until {until}, and today is {today}.",
        "该优惠的发放期为 {since} 至 {until}（不含当日），今天是 {today}。",
    ),
    Rule.UNIT: Text(
        "The offer is for units {units}, and the customer's is {unit}.",
        "该优惠适用单位 {units}，客户所属单位为 {unit}。",
    ),
    Rule.LEVEL: Text(
        "The offer is for levels {levels}, and the customer's is {level}.",
        "该优惠适用级别 {levels}，客户级别为 {level}。",
    ),
    Rule.CONDITION: Text(
        "The customer does not meet the condition: {condition}.",
        "客户不符合条件：{condition}。",
    ),
    Rule.ENTITLEMENT: Text(
        "By the policy ({policy}) level {level} has {entitled} uses from {since} until {until}; {taken} are granted, {wanted} are asked for.",
        "按政策（{policy}），级别 {level} 在 {since} 至 {until}（不含当日）可享 {entitled} 次；已发放 {taken} 次，申请 {wanted} 次。",
    ),
    Rule.CONFLICT: Text(
        "The customer has {others} at the moment, with which this offer does not go together.",
        "客户现有优惠 {others}，与该优惠不可同享。",
    ),
    Rule.QUOTA: Text(
        "Unit {unit} has {left} uses of its quota left, and {wanted} are asked for.",
        "单位 {unit} 的配额剩余 {left} 次，申请 {wanted} 次。",
    ),
    Rule.BUDGET: Text(
        "Unit {unit} has {left} yuan of its budget left, and {wanted} yuan are asked for.",
        "单位 {unit} 的预算剩余 {left} 元，申请 {wanted} 元。",
    ),
}


_LEVELS: Mapping[str, Text] = {
    Level.DIAMOND: Text("diamond", "钻石卡"),
    Level.GOLD: Text("gold", "金卡"),
    Level.SILVER: Text("silver", "银卡"),
    Level.STANDARD: Text("standard", "普通"),
}


def _levels(names: Sequence[str]) -> Text:
    texts = [_LEVELS[name] for name in names]
    return Text(", ".join(text.en for text in texts), "、".join(text.zh for text in texts))


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that says no, with what it says it of."""

    rule: Rule
    values: Mapping[str, Any]

    def speak(self, language: Language) -> str:
        """Return it as a sentence."""
        values = {
            name: value.speak(language) if isinstance(value, Text) else value
            for name, value in self.values.items()
        }
        return SENTENCES[self.rule].speak(language, **values)


@dataclass(frozen=True, slots=True)
class Person:
    """What of a customer decides about offers. The path of a unit is the codes of all above it and its own."""

    level: str
    library: str
    unit: str
    unit_path: str

    @property
    def units(self) -> list[str]:
        """The customer's unit and all above it, from the top down."""
        return self.unit_path.strip("/").split("/")


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of the quota that a grant would count against."""

    year: int
    unit: str
    uses: int | None
    budget_fen: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a customer stands towards one offer.

    Attributes:
        meets: whether the offer's condition holds for the customer.
        taken: how many uses of the present period are granted or were used.
        others: the offers that the customer has now and that this one does not go together with.
        room: what is left of the quota; nothing if there is no quota.
    """

    meets: bool = True
    taken: int = 0
    others: Sequence[str] = ()
    room: Room | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for an offer on a day.

    Attributes:
        today: the business day.
        entitlement: what the policy says.
        policy: which versions say so.
    """

    today: date
    entitlement: Entitlement
    policy: str

    def entitled(self, level: str) -> int:
        """Return how many uses a level has in a period."""
        return self.entitlement.uses.of(level)

    @property
    def period(self) -> tuple[date, date]:
        """The present period."""
        return self.entitlement.around(self.today)


def judge(
    offer: Offer, person: Person, standing: Standing, terms: Terms, wanted: int = 1
) -> list[Reason]:
    """Return every reason for which a customer may not have ``wanted`` uses of an offer now; none if they may."""
    reasons = [*_of_customer(offer, person, standing, terms.today)]
    (since, until), level = terms.period, person.level
    entitled, cost = terms.entitled(level), wanted * offer.cost_fen
    if standing.taken + wanted > entitled:
        values = {"level": _LEVELS[level], "entitled": entitled, "since": since, "until": until}
        values |= {"taken": standing.taken, "wanted": wanted, "policy": terms.policy}
        reasons.append(Reason(Rule.ENTITLEMENT, values))
    if standing.others:
        reasons.append(Reason(Rule.CONFLICT, {"others": ", ".join(standing.others)}))
    room = standing.room
    if room is not None and room.uses is not None and room.uses < wanted:
        reasons.append(Reason(Rule.QUOTA, {"unit": room.unit, "left": room.uses, "wanted": wanted}))
    if room is not None and room.budget_fen is not None and room.budget_fen < cost:
        values = {"unit": room.unit, "left": _yuan(room.budget_fen), "wanted": _yuan(cost)}
        reasons.append(Reason(Rule.BUDGET, values))
    return reasons


def _of_customer(offer: Offer, person: Person, standing: Standing, today: date) -> Sequence[Reason]:
    reasons = []
    if person.library != Library.IN_NETWORK:
        reasons.append(Reason(Rule.IN_NETWORK, {}))
    until = offer.valid_until
    if today < offer.valid_from or (until is not None and today >= until):
        values = {"since": offer.valid_from, "until": until or "…", "today": today}
        reasons.append(Reason(Rule.VALIDITY, values))
    if not set(offer.units) & set(person.units):
        values = {"units": ", ".join(offer.units), "unit": person.unit}
        reasons.append(Reason(Rule.UNIT, values))
    if offer.levels and person.level not in offer.levels:
        told = {"levels": _levels(offer.levels), "level": _LEVELS[person.level]}
        reasons.append(Reason(Rule.LEVEL, told))
    if not standing.meets:
        reasons.append(Reason(Rule.CONDITION, {"condition": offer.condition_text}))
    return reasons


def left(offer: Offer, person: Person, standing: Standing, terms: Terms) -> int:
    """Return how many uses may be granted now: of what the policy entitles to, the quota and the budget."""
    found = terms.entitled(person.level) - standing.taken
    room = standing.room
    if room is not None and room.uses is not None:
        found = min(found, room.uses)
    if room is not None and room.budget_fen is not None and offer.cost_fen:
        found = min(found, room.budget_fen // offer.cost_fen)
    return max(0, found)


def levels_entitled(offer: Offer, terms: Terms) -> list[str]:
    """Return the levels that an offer is for and that have uses of it."""
    return [
        level.value
        for level in Level
        if terms.entitled(level) > 0 and (not offer.levels or level in offer.levels)
    ]
