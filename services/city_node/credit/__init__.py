"""Credit (信誉度评定): a scorecard, a rating and a limit for each customer.

Vocabulary
----------
A *characteristic* (评分项) is tenure, mean monthly spend, the share of due bills paid in time, what is overdue, how
often lines were suspended, and the contract. The policy gives points for each by bands; they add up to the *score*
(评分), which gives the *rating* (信誉等级); rating and spend give the *limit* (信用额度), rounded down to a step.

How it is computed, when, and how results are kept, tried and explained is in
:mod:`~services.city_node.evaluation`; what is particular to credit is one file,
:mod:`~services.city_node.credit.scorecard`. Suspensions are counted from the customers' history.

Advice
------
What a customer would need for the next rating is searched one characteristic at a time: the nearest band whose points
alone would be enough.
"""

from services.city_node.credit.events import EVENTS
from services.city_node.credit.scorecard import RULE
from services.city_node.evaluation.commands import command_of
from services.city_node.evaluation.endpoints import router_of
from services.city_node.evaluation.jobs import nightly, works
from services.city_node.evaluation.part import part_of
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="credit",
    summary=Text("Credit rating and limit", "信誉度评定与信用额度"),
    events=EVENTS,
    routers=(router_of(RULE),),
    jobs=(nightly(RULE, "04:20"),),
    works=works(RULE),
    commands=(("evaluate", command_of(RULE)),),
    offers=(part_of(RULE, "credit"),),
)
