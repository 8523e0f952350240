"""Number segments: to which city a mobile number belongs (号段).

Vocabulary
----------
A *segment* is the first digits of mobile numbers, 3 to 11 of them, and the city that is their *home* (归属地). Of the
segments that a number begins with, the longest counts, so that a few numbers within a segment may be at home elsewhere.
The table is national: HQ alone changes it, by *editions*. An edition says of at most a thousand segments which home
they have from now on, or that they have none any more; editions are numbered densely, and the number of the last one
that a node knows is the *version* of its table. An edition is a signed text: everybody checks HQ's signature, so any
neighbour may pass it on.

Life of an edition
------------------
HQ signs it, applies it and passes it to its children on the ``control`` lane, and they to theirs, in order. Once a day
and after each joining a child tells its parent which version it holds; the parent sends what the child lacks, a bounded
number at a time, and the child asks on until it has all. Every node applies editions in the order of their numbers, so
nodes of the same version have the same table.

Failure
-------
An edition that comes twice is kept once; one that comes before those that it follows is left, and comes again by the
comparison. A node that was restored from a backup hears from its parent what it has forgotten; HQ hears it from its
children, who send up what it lacks, and HQ numbers on after that. Should HQ, restored, have given a number to something
else before it heard, then the edition that a node knew first counts there, the other is refused and reported, and HQ
publishes the segments anew. A node cut off answers by the version that it has, and says so.

Who may write: :mod:`~shared.number_segment.repository` alone writes these tables. At HQ
``services.hq_node.number_segment`` decides what is published.
"""

from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text
from shared.number_segment.commands import app
from shared.number_segment.endpoints import router
from shared.number_segment.jobs import COMPARE
from shared.number_segment.messages import HANDLERS

capability = Capability(
    name="number-segment",
    summary=Text("Number segments: the home city of a number", "号段：号码归属地"),
    routers=(router,),
    messages=HANDLERS,
    jobs=(COMPARE,),
    permissions=(
        Permission(
            "number-segment:read",
            Text("See number segments, and a number's home city", "查询号段与号码归属地"),
            frozenset(Role),
        ),
    ),
    commands=(("number-segment", app),),
)
