"""Target groups (目标客户群): a condition that is kept, and the list that is made of it.

Vocabulary
----------
A *segment* is a named condition of an organisation unit. While *living*, its members are the customers of the unit
and below who meet the condition at the moment of asking. *Locking* it writes them down as a *list*: from then on those
are its members, whatever becomes of them, until the list is *refreshed* or the segment *unlocked*.

Life cycle
----------
Created living; changed, locked, refreshed, unlocked, deleted, each against the version that was read (``If-Match``) and
each with a row of history that keeps the condition, who, and when. A list is written set-wise by one statement, under
the version that made it, and never changed: a campaign that takes a segment and a version has the same customers for
good. What is deleted goes out of sight; its history and lists stay.

Who sees what
-------------
A segment belongs to the data scope of its unit; of its members a reader sees those of the reader's own unit and below.
A segment whose condition asks for what a reader may not see is not read by that reader.
"""

from services.city_node.segment.access import permissions
from services.city_node.segment.audited import ACTIONS
from services.city_node.segment.commands import app
from services.city_node.segment.endpoints import router
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="segment",
    summary=Text("Target groups, living or locked", "目标客户群锁定"),
    routers=(router,),
    permissions=permissions,
    actions=tuple(ACTIONS.values()),
    commands=(("segment", app),),
)
