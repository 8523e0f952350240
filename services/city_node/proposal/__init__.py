"""Four eyes: changes of sensitive fields that a second person must approve.

Vocabulary
----------
A *sensitive field* (敏感字段) is one that the node lists as such for a kind of customer: at first the name, the
document, the birth date and the level, which then is given by appointment. A change of one becomes a *proposal*
(变更申请): what is to change, by whom, when, and what it was when the proposer saw it. A second person *approves* or
*rejects* it.

What a change does
------------------
A ``PATCH`` of a customer is divided: what is not sensitive takes effect at once, the rest is tried out, so that what
would be refused is refused now, and kept as a proposal; the answer is 202. One proposal of a customer waits at a
time; a new one by the same proposer takes the place of the old. Nothing of a proposal is in the profile until it is
approved; then it is an ordinary change, made by the approver and caused by the proposal.

Life cycle
----------
*pending*, then *approved*, *rejected* with a reason, *withdrawn* by its proposer, or *expired*. If the fields were
changed meanwhile, it is stale: it cannot be approved and must be proposed anew. The values that are proposed are kept
encrypted and deleted with the decision; what remains is what history shows.

Who may approve
---------------
Holders of ``customer:approve`` whose unit covers the customer; never the proposer, nor another account of the same
person, as far as the staff record tells (its display name). Imports and merges change sensitive fields without a
proposal: each is under a permission of its own.
"""

from services.city_node.customer.review import Review
from services.city_node.proposal.access import conflicts, permissions
from services.city_node.proposal.endpoints import router
from services.city_node.proposal.field_endpoints import router as field_router
from services.city_node.proposal.jobs import expiry
from services.city_node.proposal.reading import part
from services.city_node.proposal.sensitive import MEMBERS, ensure_fields
from services.city_node.proposal.service import PATH, propose
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="proposal",
    summary=Text("Approval of changes of sensitive fields", "敏感字段变更审批"),
    routers=(router, field_router),
    jobs=(expiry,),
    permissions=permissions,
    conflicts=conflicts,
    offers=(Review(MEMBERS, propose, PATH), part),
    on_start=(ensure_fields,),
)
