"""The tree of organisation units: whose a customer, a member of staff or a figure is.

Vocabulary
----------
A *unit* is a place in one tree. Its upper part are the *divisions* (:mod:`~shared.organisation.division`): HQ, the
provinces and the cities, each a key-customer centre and known by its division code. Below a node's own division
lie its *teams* and its *halls* (营业厅), which the node makes itself; a team's code is its parent's, a hyphen and
a short name: ``440300-01``. A unit's *path* holds the codes from HQ down to itself, so that everything below it is
found by a prefix. That prefix is the *data scope* of whoever belongs to the unit.

Who may write
-------------
The divisions come with the release: at each start a node makes sure that it has those above itself and all below.
No request changes them. Teams and halls belong to the node of their division, and holders of ``organisation:manage``
make, rename, close and open them, within their scope. A code never changes and a unit is never deleted, because
other tables and signed tokens name it; a unit that is no longer used is made inactive.

Failure
-------
A unit with active units below it is not closed, and none is opened or made below a closed one, also when both are
tried at once: whoever makes a unit locks its parent, whoever closes one locks it. Members of staff keep belonging to
a closed unit until somebody moves them; nobody new joins it.
"""

from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text
from shared.organisation.endpoints import router
from shared.organisation.service import ensure_divisions

capability = Capability(
    name="organisation",
    summary=Text("The tree of organisation units", "组织机构"),
    routers=(router,),
    permissions=(
        Permission(
            "organisation:read",
            Text("See the units of one's own scope", "查看本范围内的机构"),
            frozenset(Role),
        ),
        Permission(
            "organisation:manage",
            Text(
                "Make, rename, close and open teams and halls", "新建、更名、停用、启用班组与营业厅"
            ),
            frozenset({Role.OPERATOR, Role.SUPERVISOR}),
        ),
    ),
    on_start=(ensure_divisions,),
)
