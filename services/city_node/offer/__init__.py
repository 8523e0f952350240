"""Preferential offers (优惠): what customers are entitled to by level, granted, used, and paid for by units.

Vocabulary
----------
An *offer* is an entry of the catalogue: what it gives, what a use is worth and what it costs, when it is granted, and
for whom: units, levels, and a *condition* of the query language (:mod:`services.city_node.query`). It is never
deleted: it ends. The *entitlement* (权益) is how many uses a level has in a month, quarter or year; that is the policy
(:mod:`shared.policy.kinds.offer`). The *quota* (配额) is how many uses a unit may grant in a year, with the *budget*
for what they cost. A *grant* (发放) is an offer as one customer has it: so many uses, until a day. A *use* is a row,
and a *reversal* (冲正) of one is a row of its own.

Who may have what
-----------------
:mod:`~services.city_node.offer.judging` has every rule, pure; it answers both who asks (``GET /customers/{id}/offers``)
and who grants. Two offers *conflict* if they are paired or of one exclusive group: a customer has one of them at a
time, and what is used up counts until its period is over, for a use of it may come back.

What counts
-----------
A grant holds all its uses from the moment it is granted or proposed: against the entitlement of the period it was
granted in, and against the quota and budget of its year. When it ends, what was not used is free again. So a use
never fails for want of a quota, and what is promised is paid for. The quota is that of the nearest unit, from the
customer's own upwards, that has one on the day; it goes on counting there, whatever quotas are set later and wherever
the customer moves. Without any there is no limit but the entitlement.

Life cycle
----------
:mod:`~services.city_node.offer.life` declares it. A grant that may cost more than the policy or the offer says is
*proposed*, and a second person approves or refuses it. It can be used until its period ends, or the offer if that is
sooner; both are fixed when it is granted. Each night what is over ends, and what customers hold who have left.

What changes after the grant
----------------------------
*Level, unit, condition*: the grant stays; further ones go by what the customer is then. *The offer* is changed, or ends
sooner: grants stay, with their cost and their day. *Merge*: the survivor has the grants of both, and gets no more until
they fit; conflicting ones stay side by side. *Leaving*: nothing can be used, and what is left ends in the next night;
who is restored before keeps it. *Erasure*: what people wrote goes, every count and cost stays.

Locks
-----
The customer, then the grant, then the quota. All that is granted to one customer goes one by one under the first, so
that entitlement and conflicts hold; a quota is taken by one conditional statement, so that it holds across customers;
check constraints stand behind both. The nightly job locks no customer and passes by what is locked. Who changes the
catalogue holds an advisory lock, for a conflict is a matter of two.

Who may write: this package alone; ``offer_use`` is append-only.
"""

from services.city_node.offer import catalogue, granting, using
from services.city_node.offer.access import conflicts, permissions
from services.city_node.offer.commands import app
from services.city_node.offer.endpoints import router
from services.city_node.offer.events import EVENTS
from services.city_node.offer.grant_endpoints import router as grant_router
from services.city_node.offer.jobs import expiry
from services.city_node.offer.reading import part
from shared.capability import Capability
from shared.kernel.language import Text
from shared.policy.kinds.offer import OFFER

capability = Capability(
    name="offer",
    summary=Text("Preferential offers: entitlement, quota, use", "优惠：权益、配额与使用"),
    routers=(router, grant_router),
    jobs=(expiry,),
    permissions=permissions,
    events=EVENTS,
    actions=(*catalogue.ACTIONS, *granting.ACTIONS, *using.ACTIONS),
    policies=(OFFER,),
    commands=(("offer", app),),
    offers=(part,),
    conflicts=conflicts,
)
