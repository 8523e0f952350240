"""The till (收银): cashiers' shifts, and the cash that goes in and out of their drawers.

Vocabulary
----------
A *shift* (班次) is one cashier's time at one drawer. It begins with the *float* (备用金) that is counted into it and
ends when it is *cashed up* (结班): what is *counted* beside what is *expected*. A *difference* (长短款) is confirmed
by a second person, with the reason. Every taking and every giving back is an *entry*, which is only added to.

Life cycle
----------
``open`` until it is counted; then ``closed`` if the count agrees, or ``counted`` until somebody else confirms. A
cashier has one open shift at a time, and cash moves only in the open shift of whoever moves it: so for every fen that
is missing there is one person to ask.

Failure
-------
Taking money locks the shift, so that it is not cashed up under a payment. A payment, a reversal or a loan handset's
deposit moves cash once each way: a unique index stands behind it. A shift that a restored database has forgotten is
recalled with what was taken in it, open, to be counted once more.

Who may write: :mod:`~services.city_node.till.service` alone writes these tables; payments and loans call it.
"""

from services.city_node.till import commands, endpoints, service
from shared.capability import Capability, Conflict, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="till",
    summary=Text("Tills: shifts and cashing up", "收银班次与结班"),
    routers=(endpoints.router,),
    permissions=(
        Permission(
            "till:work",
            Text("Open one's own shift and cash it up", "开班、结班"),
            frozenset({Role.CLERK, Role.SUPERVISOR}),
        ),
        Permission(
            "till:confirm",
            Text("Confirm the difference of another's shift", "确认他人班次的长短款"),
            frozenset({Role.SUPERVISOR}),
        ),
        Permission(
            "till:read",
            Text("See shifts and what went in and out", "查看班次与现金收付"),
            frozenset({Role.CLERK, Role.SUPERVISOR, Role.AUDITOR}),
        ),
    ),
    conflicts=(
        Conflict(
            frozenset({"till:work"}),
            frozenset({"till:confirm"}),
            Text(
                "who counted a drawer does not confirm its difference",
                "清点与确认长短款不得为同一人",
            ),
            of_one_change=True,
        ),
    ),
    actions=service.ACTIONS,
    commands=(("till", commands.app),),
)
