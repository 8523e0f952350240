"""How complete profiles are, and what is missing.

Vocabulary
----------
An *element* is something that a profile should have: a document, a telephone number, a key person. What elements
there are is part of the release (:mod:`~services.city_node.completeness.elements`); what each *weighs*, for a kind of
customer at a level, is a *rule* of the node, written with defaults when the node starts and changed by holders of
``completeness:write``. The *score* is the weight of what is there in per cent of the weight of all, rounded.

When it is computed
-------------------
The customer's page (``include=completeness``) computes it as it is read. For lists it is stored: every minute for
those who changed, and by night for everybody, in portions, each a transaction of its own and each one statement. A
rule that changes shows on pages at once and in lists the next morning.
"""

from services.city_node.completeness.access import permissions
from services.city_node.completeness.elements import ensure_rules
from services.city_node.completeness.endpoints import router
from services.city_node.completeness.jobs import nightly, often
from services.city_node.completeness.repository import part
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="completeness",
    summary=Text("Completeness of profiles", "客户档案完整度"),
    routers=(router,),
    jobs=(often, nightly),
    permissions=permissions,
    offers=(part,),
    on_start=(ensure_rules,),
)
