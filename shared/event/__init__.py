"""Events: what happened at a node, in one order, for programs that follow it.

Vocabulary
----------
An *event* is something that has happened and concerns others, as a CloudEvent 1.0: its *type*
(``guanxi.<noun>.<what happened>.v1``), when, whom it is about (*subject*, a path of the node's API), and a few *data*:
ids and codes, never what a person is called or how they are reached. Whoever wants more asks the API, which checks
what they may see. A *position* is an event's place in the node's one order; a *cursor* is the last position that a
reader has.

How events come about
---------------------
A package declares an :class:`~shared.capability.EventType` over a table to which rows are added as things
happen. A trigger on that table writes the events, in the transaction of what happened: whoever changes something
knows nothing of events, none is forgotten, and what is rolled back never was.

How they are ordered
--------------------
Numbers that are drawn inside a transaction do not come in the order of the commits: a reader who has seen 6 could
miss 5. So positions are given after the commit, as the lanes of the federation number their messages: by whoever
reads, one at a time, to what has none yet. A reader who goes on from its cursor gets every event once, in one order.

What a reader must expect
-------------------------
Events are kept for ``event_retention_days``. A cursor from before that, or from after the end (the database was
restored from a backup), is refused with a problem that says so, rather than answered with a gap.
"""

from shared.capability import Capability
from shared.event import models as models  # its table is the node's
from shared.event.access import permissions
from shared.event.commands import app
from shared.event.endpoints import router
from shared.event.jobs import FORGET
from shared.kernel.language import Text

capability = Capability(
    name="event",
    summary=Text("What happened at this node, for programs to follow", "供程序跟踪的本节点事件"),
    routers=(router,),
    jobs=(FORGET,),
    permissions=permissions,
    commands=(("event", app),),
)
