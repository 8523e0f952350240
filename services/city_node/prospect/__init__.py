"""Prospects (潜在大客户): customers who may reach a level, found by policy and worked on until they do or do not.

Vocabulary
----------
A *prospect* is a customer below the highest level with a *target*, the next level above what is held or entitled to,
and with at least one *signal* (理由): *near* the target's threshold, *growing* towards it, or a *competitor* has what
is missing. The policy of prospects says how near, how fast and how much, and gives each signal points: the *score*, by
which they are ranked. Thresholds are those of the policy of levels in force.

A *search* (查找) looks at a whole city, at those whose facts changed, or at some customers: one statement
(:mod:`~services.city_node.prospect.statement`) over the facts of evaluations. A *dry run* (试算) counts by it what a
draft of the policy would find. A *plan* (培育计划) is the steps of the policy by which a qualified prospect is
nurtured: who, by when, and what came of it.

Life
----
Declared as data in :mod:`~services.city_node.prospect.life`. *Found* by a search; *qualified*, or *disqualified* with a
reason; *nurtured* by a plan; then *converted*, or *dropped* with a reason. What was closed without success may be
*reopened*, and is qualified then. A customer has one open prospect at most.

What a search does by itself: a prospect is *converted* when the customer holds the target, whoever works on it; one
that is found no longer *lapses*, unless somebody works on it: then it stays, with no signal. One whose level the rule
grants by now waits for the review that gives it. One whose customer left or was merged into another is closed. Who was
disqualified or dropped is left in peace for the months of the policy, and who refuses marketing is not found.

What happens is kept in ``prospect_event``, with the unit of the day, the policy and the figures: statistics count it,
and go on counting when the customer is erased.

Failure
-------
A search of a city is one transaction, one of changed customers a transaction for each portion; run again it finds what
there is already and writes nothing. Searches take turns. Whoever works on a prospect names its version, so that of two
who do at once one is told so; a search that comes between makes another version, too.
"""

from services.city_node.prospect import marking as marking  # its triggers are part of the tables
from services.city_node.prospect.access import actions, permissions
from services.city_node.prospect.act_endpoints import router as act_router
from services.city_node.prospect.commands import app
from services.city_node.prospect.endpoints import router
from services.city_node.prospect.events import EVENTS
from services.city_node.prospect.jobs import NIGHTLY, SEARCH, TRIAL
from services.city_node.prospect.reading import part
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="prospect",
    summary=Text("Customers who may reach a level", "潜在大客户"),
    routers=(router, act_router),
    jobs=(NIGHTLY,),
    works=(SEARCH, TRIAL),
    permissions=permissions,
    events=EVENTS,
    actions=actions,
    commands=(("prospect", app),),
    offers=(part,),
)
