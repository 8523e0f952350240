"""Keeping profiles true: who was not verified for too long becomes somebody's task.

Vocabulary
----------
A profile is *verified* (核实) when somebody has asked the customer and found it right, or put it right. A *rule* says
after how many days, by level, it is *stale*. A contact medium *bounced* when a call or letter did not reach the
customer. Each makes a *verification task* (核实任务) for the manager who looks after the customer or, without one, for
the unit.

Life cycle
----------
The nightly *plan* makes tasks set-wise, in portions: for customers in the network whose contact bounced, who were never
verified since the profile was made, or whose verification is stale. A customer has one open task at most, whatever
the reasons. A task is closed as *verified*, *corrected* (both stamp ``verified_on`` and forget what bounced) or
*unreachable*; then nobody asks again for ``REST_DAYS``. Whose task it is follows the customer: a new manager has it
at once. One whose customer leaves is *cancelled* by the next plan.
"""

from services.city_node.verification.access import permissions
from services.city_node.verification.commands import app
from services.city_node.verification.endpoints import router
from services.city_node.verification.jobs import nightly
from services.city_node.verification.plan import ensure_rules
from services.city_node.verification.reading import part
from services.city_node.verification.rule_endpoints import router as rule_router
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="verification",
    summary=Text("Verification of profiles", "客户档案核实"),
    routers=(router, rule_router),
    jobs=(nightly,),
    permissions=permissions,
    commands=(("verification", app),),
    offers=(part,),
    on_start=(ensure_rules,),
)
