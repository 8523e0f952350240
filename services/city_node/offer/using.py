"""Using what was granted, and giving uses back: rows that are only added."""

from uuid import UUID

from sqlalchemy import exists, select

from services.city_node.interaction.models import Channel
from services.city_node.offer.counter import Counter
from services.city_node.offer.granting import give_back, locked, record, require_usable
from services.city_node.offer.life import Act, charged, follow
from services.city_node.offer.models import OfferGrant, OfferUse, ReversalReason
from services.city_node.offer.problems import GrantNotFound, UseNotFound, UseReversed
from shared.capability import Action
from shared.kernel.ids import new_id
from shared.kernel.language import Text

USED = Action("offer.used", Text("An offer was used", "使用优惠"))
REVERSED = Action("offer.reversed", Text("A use of an offer was given back", "冲正优惠使用"))
ACTIONS = (USED, REVERSED)


async def use(counter: Counter, grant_id: UUID, channel: Channel) -> UUID:
    """Note that a grant is used once, here and now; return the use's id.

    Raises:
        GrantNotFound, CustomerNotFound: if there is none in scope (404).
        GrantStateUnfit: if it is not granted, or used up (409).
        CustomerRetained, GrantOver: if the customer has left, or the grant's last day has passed (409).
    """
    customer, row = await locked(counter, grant_id)
    state = follow(Act.USE, row.state, used=row.used + 1, uses=row.uses)
    require_usable(counter, customer, row)
    row.used += 1
    row.state = state.value
    row.version += 1
    made = OfferUse(id=new_id(), uses=1, cost_fen=row.cost_fen, **_noted(counter, row, channel))
    counter.session.add(made)
    record(counter, USED, row, use=str(made.id))
    await counter.session.flush()  # what is answered is read by SQL
    return made.id


async def reverse(counter: Counter, use_id: UUID, reason: ReversalReason) -> UUID:
    """Give a use back, once; return the reversal's id. It costs as much less in the month in which it is made.

    Raises:
        UseNotFound, CustomerNotFound: if there is none in scope (404).
        UseReversed: if it was given back already, or is a reversal (409).
    """
    found = await counter.session.get(OfferUse, use_id)
    if found is None:
        raise UseNotFound(use=use_id)
    try:
        _, row = await locked(counter, found.grant_id)
    except GrantNotFound:
        raise UseNotFound(use=use_id) from None
    # Whoever gives a use back holds the grant: two cannot both find it not given back.
    again = select(exists().where(OfferUse.reverses_id == use_id))
    if found.reverses_id is not None or await counter.session.scalar(again):
        raise UseReversed(use=use_id)
    before = charged(row.state, uses=row.uses, used=row.used)
    row.used -= 1
    row.state = follow(Act.REVERSE, row.state, used=row.used, uses=row.uses).value
    row.version += 1
    made = OfferUse(
        id=new_id(),
        reverses_id=use_id,
        uses=-1,
        cost_fen=-found.cost_fen,
        reason=reason.value,
        **_noted(counter, row, Channel(found.channel)),
    )
    counter.session.add(made)
    await give_back(counter, row, before - charged(row.state, uses=row.uses, used=row.used))
    record(counter, REVERSED, row, use=str(use_id))
    await counter.session.flush()  # what is answered is read by SQL
    return made.id


def _noted(counter: Counter, row: OfferGrant, channel: Channel) -> dict[str, object]:
    return {
        "grant_id": row.id,
        "offer_code": row.offer_code,
        "unit_code": row.unit_code,
        "used_on": counter.today,
        "used_at": counter.now,
        "used_by": counter.actor.by,
        "place_code": counter.unit,
        "channel": channel.value,
    }
