"""Which offers a customer may have, and why not the others."""

from collections.abc import Sequence
from uuid import UUID

from services.city_node.customer.models import Customer, Level
from services.city_node.customer.profile import require_in_scope
from services.city_node.offer import repository
from services.city_node.offer.counter import Counter
from services.city_node.offer.judging import Reason, levels_entitled
from services.city_node.offer.repository import Eligible
from services.city_node.offer.schemas import ReasonOut, VerdictOut, VerdictsOut
from services.city_node.offer.standing import (
    View,
    condition_of,
    look_at,
    policy_of,
    terms_of,
)
from services.city_node.query.selection import Selection
from shared.kernel.database import driver_connection
from shared.kernel.language import Language


async def verdicts(counter: Counter, customer_id: UUID, language: Language) -> VerdictsOut:
    """Return what of the catalogue a customer may have today, with every rule that says no to the rest.

    Raises:
        CustomerNotFound: if there is none in scope (404).
    """
    await require_in_scope(await driver_connection(counter.session), customer_id, counter.scope)
    customer = await counter.session.get_one(Customer, customer_id)
    policy = await policy_of(counter)
    offers = await repository.present(counter.session, counter.today, counter.scope)
    views = await look_at(counter, customer, offers, policy)
    return VerdictsOut(
        customer_id=customer_id,
        on=counter.today,
        level=Level(customer.level),
        policy=policy.reference,
        items=[_told(view, view.reasons(), language) for view in views],
    )


def _told(view: View, reasons: Sequence[Reason], language: Language) -> VerdictOut:
    offer, terms = view.offer, view.terms
    since, until = terms.period
    return VerdictOut(
        offer=offer.code,
        name_zh=offer.name_zh,
        name_en=offer.name_en,
        benefit_zh=offer.benefit_zh,
        benefit_en=offer.benefit_en,
        may=not reasons,
        left=view.left,
        entitled=terms.entitled(view.person.level),
        taken=view.standing.taken,
        period=terms.entitlement.period,
        period_from=since,
        period_until=until,
        reasons=[ReasonOut(rule=each.rule, sentence=each.speak(language)) for each in reasons],
    )


async def eligible(counter: Counter, code: str) -> Selection:
    """Return the customers in scope whom an offer is for: by unit, level, entitlement and condition.

    What they hold already, and what is left of quotas, is asked when it is granted.

    Raises:
        OfferNotFound: if there is none (404).
    """
    offer = await repository.find(counter.session, code)
    levels = levels_entitled(offer, terms_of(counter, await policy_of(counter), offer))
    among = Eligible(offer.units, levels)
    return Selection(condition_of(offer), (counter.scope,), counter.today, among)
