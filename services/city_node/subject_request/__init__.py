"""What people ask about their own data (个人信息主体请求): to see it, to have it corrected, to have it erased.

Vocabulary
----------
A *request* is of one person, who is or was a customer, and of one *kind*: access, rectification or erasure (PIPL 45 to
47, GDPR 15 to 17). Its *deadline* is some working days after it was received. The *trail* is what happened, by whom.

Life cycle
----------
Declared as data (:mod:`~services.city_node.subject_request.kind`): received, then verified when somebody has noted how
the identity was checked; nothing is given out or erased before. *Access*: everything that the register of personal data
lists is streamed as JSON, as often as needed, and the request closed. *Rectification*: the request says where the
customer's data is changed; that change has its own rules and its own history. *Erasure*: one person proposes and
another approves, and the customer is erased in that transaction (:mod:`~services.city_node.erasure`). A request can be
refused for a declared reason, and withdrawn.

What stands against erasure is found by the node, at the proposal and again at the approval: a customer who has not
left, an agreement in force, unpaid bills, the time that the law wants records of telephone users kept, a legal hold.

A request that is not settled keeps the nightly erasure from its person.

Who may write: :mod:`~services.city_node.subject_request.service` alone, with ``customer:subject-request``; exports need
``customer:subject-export``, both steps of erasure ``customer:erase``.
"""

from services.city_node.subject_request.access import conflicts, permissions
from services.city_node.subject_request.commands import app
from services.city_node.subject_request.endpoints import router
from services.city_node.subject_request.kind import ACTIONS
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="subject-request",
    summary=Text("People's requests about their own data", "个人信息主体请求"),
    routers=(router,),
    permissions=permissions,
    conflicts=conflicts,
    actions=tuple(ACTIONS.values()),
    commands=(("customer", app),),
)
