"""What HQ publishes of the number segments (:mod:`shared.number_segment`): changes, with a second look at conflicts.

A *change* is a list of segments with the home that each is to have, or none. It is made over REST or from a CSV file.
What contradicts nothing in the table is published at once. A *conflict* is a segment that is another city's at present,
or is to be nobody's any more, or lies within a segment of another city or around one: such a change waits, with its
conflicts named, until another person *publishes* or *rejects* it. Conflicts are looked for anew when it is published,
so that what changed meanwhile is not overwritten unseen: if there are others than those that were shown, it waits with
the new ones.

A change is published as editions of at most a thousand segments, in one transaction: all of it or none.

Who may write: :mod:`~services.hq_node.number_segment.service` alone.
"""

from services.hq_node.number_segment.commands import app
from services.hq_node.number_segment.endpoints import router
from services.hq_node.number_segment.service import CHANGED, DECIDED
from shared.capability import Capability, Conflict, Permission, Role
from shared.kernel.language import Text

EDIT, DECIDE = "number-segment:change", "number-segment:decide"

capability = Capability(
    name="number-segment-change",
    summary=Text("Changes of the national number segments", "全国号段变更"),
    routers=(router,),
    permissions=(
        Permission(
            EDIT,
            Text("Change the national number segments", "变更全国号段"),
            frozenset({Role.HQ_ANALYST, Role.OPERATOR}),
        ),
        Permission(
            DECIDE,
            Text("Publish or reject changes of others that conflict", "复核有冲突的号段变更"),
            frozenset({Role.HQ_ANALYST, Role.OPERATOR}),
        ),
    ),
    conflicts=(
        Conflict(
            frozenset({EDIT}),
            frozenset({DECIDE}),
            Text(
                "who made a change of number segments that conflicts does not publish it",
                "号段变更的提交与复核不得为同一人",
            ),
            of_one_change=True,
        ),
    ),
    actions=(CHANGED, DECIDED),
    commands=(("number-segment", app),),
)
