"""Long work of a node: asked for in a request, done in the background, watched and cancelled meanwhile.

Vocabulary
----------
A piece of *work* (后台任务) is one row: of a *kind* that a capability declares
(:class:`~shared.capability.WorkKind`), with its *parameters*, who asked for it, how far it is, and in the end its
*result* or the *error*, a problem in both languages.

Life cycle
----------
``queued`` with the commit of the request that asks for it; ``running`` in the process that leads
(:mod:`shared.node.background`), woken by a notification, the oldest of a kind first; then ``done``, ``failed`` or
``cancelled``. Ended work is kept for :data:`~shared.work.jobs.RETENTION`.

Cancelling is cooperative: queued work is cancelled at once; running work is told so at its next step, by an exception.

Failure
-------
Running work holds a *lease* that its *heartbeat* renews. A process that is told to end puts its work back; if it
dies instead, the lease runs out and the leading process takes the work up again, as the next *attempt*. So work may
run twice: it either wipes out its own traces first, or ends in one transaction with
:meth:`~shared.capability.WorkHandle.finish`.
Every word of an attempt about itself names its number, so that one which was thought dead cannot speak for the next.
Work that was interrupted :data:`~shared.work.running.MOST_ATTEMPTS` times fails: it may be what kills the process.

Who may see and do
------------------
Everybody sees the work that they asked for and cancels it; holders of ``work:supervise`` those of their unit and
below. Whether somebody may ask for work is the business of the endpoint that asks.
"""

from shared.capability import Capability
from shared.kernel.language import Text
from shared.work.access import permissions
from shared.work.commands import app
from shared.work.endpoints import router
from shared.work.jobs import FORGET

capability = Capability(
    name="work",
    summary=Text("Long work in the background", "后台任务"),
    routers=(router,),
    jobs=(FORGET,),
    permissions=permissions,
    commands=(("work", app),),
)
