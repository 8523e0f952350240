"""How a customer stands towards offers: everything that the rules look at, read for one customer and many offers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.city_node.customer.models import Customer
from services.city_node.offer import repository
from services.city_node.offer.counter import Counter
from services.city_node.offer.judging import Person, Reason, Standing, Terms, judge, left
from services.city_node.offer.life import HOLDING, charged
from services.city_node.offer.models import Offer
from services.city_node.offer.repository import Held
from services.city_node.query.condition import Condition
from services.city_node.query.selection import read_condition
from shared.kernel.database import driver_connection
from shared.organisation.models import OrganisationUnit
from shared.policy.declaration import PolicyInForce
from shared.policy.kinds.offer import OFFER, OfferPolicy
from shared.policy.service import in_force


@dataclass(frozen=True, slots=True)
class View:
    """One offer and one customer.

    Attributes:
        offer: the offer.
        person: the customer.
        standing: how the one stands towards the other.
        terms: what the policy says.
    """

    offer: Offer
    person: Person
    standing: Standing
    terms: Terms

    def reasons(self, wanted: int = 1) -> list[Reason]:
        """Return every reason for which the customer may not have so many uses."""
        return judge(self.offer, self.person, self.standing, self.terms, wanted)

    @property
    def left(self) -> int:
        """How many uses may be granted, the other rules aside."""
        return left(self.offer, self.person, self.standing, self.terms)


async def policy_of(counter: Counter) -> PolicyInForce[OfferPolicy]:
    """Return the policy of the day."""
    return await in_force(counter.session, OFFER, on=counter.today, node=counter.node)


def condition_of(offer: Offer) -> Condition | None:
    """Return the condition of an offer."""
    if offer.condition is None:
        return None
    return read_condition(offer.condition, permissions=None)


def terms_of(counter: Counter, policy: PolicyInForce[OfferPolicy], offer: Offer) -> Terms:
    """Return what the policy says about an offer on the day."""
    return Terms(counter.today, policy.document.of(offer.code), policy.reference)


async def look_at(
    counter: Counter,
    customer: Customer,
    offers: Sequence[Offer],
    policy: PolicyInForce[OfferPolicy],
) -> list[View]:
    """Return how a customer stands towards each of some offers, in five queries however many there are."""
    connection = await driver_connection(counter.session)
    unit = await counter.session.get_one(OrganisationUnit, customer.unit_code)
    person = Person(customer.level, customer.library, customer.unit_code, unit.path)
    codes = [offer.code for offer in offers]
    conditions = {
        offer.code: condition for offer in offers if (condition := condition_of(offer)) is not None
    }
    met = await repository.meeting(
        connection, customer.id, conditions, today=counter.today, cipher=counter.cipher
    )
    # Periods lie within years, and no grant lives longer than its period.
    held = await repository.held(connection, customer.id, counter.today.replace(month=1, day=1))
    room = await repository.room(connection, codes, counter.today.year, person.units)
    paired = await repository.conflicting(connection, codes)
    now = {each.offer for each in held if _is_held(each, counter)}
    groups = {
        offer.code: offer.exclusive_group
        for offer in await repository.named(counter.session, sorted(now))
    }
    views = []
    for offer in offers:
        terms = terms_of(counter, policy, offer)
        standing = Standing(
            meets=offer.code not in conditions or offer.code in met,
            taken=sum(_taken(held, offer.code, terms)),
            others=sorted(_others(offer, groups, paired[offer.code])),
            room=room.get(offer.code),
        )
        views.append(View(offer, person, standing, terms))
    return views


def _is_held(each: Held, counter: Counter) -> bool:
    # Also what is used up, until its period is over: a use of it may come back.
    return each.state in HOLDING and each.valid_until > counter.today


def _taken(held: Sequence[Held], code: str, terms: Terms) -> Iterator[int]:
    since, until = terms.period
    for each in held:
        if each.offer == code and since <= each.granted_on < until:
            yield charged(each.state, uses=each.uses, used=each.used)


def _others(offer: Offer, groups: Mapping[str, str | None], paired: set[str]) -> Iterator[str]:
    for code, group in groups.items():
        of_group = group is not None and group == offer.exclusive_group
        if code != offer.code and (of_group or code in paired):
            yield code
