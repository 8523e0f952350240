"""Why customers leave and to whom they go (离网原因、离网去向): a catalogue, so that it can be counted.

A *departure reason* is a code with a name in Chinese and English; a *competitor* is another operator in the same form.
Both come with the release and are the node's own from then on: a supervisor adds, renames and puts out of use. An
entry is never removed, for customers who left refer to it.

What somebody wrote instead of a code, at a desk or in a file, is looked up by code and by both names; a reason that is
not found counts as ``other``, and what was written is kept as the note. A destination that is a competitor's name is
counted as that competitor.

A reason has, for individuals and for groups, the days after which the records of those who left for it are erased
(:mod:`~services.city_node.erasure`); without them the setting ``retention_days`` holds.
"""

from services.city_node.departure.access import permissions
from services.city_node.departure.endpoints import router
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="departure",
    summary=Text("Reasons for leaving, and competitors", "离网原因与竞争对手目录"),
    routers=(router,),
    permissions=permissions,
)
