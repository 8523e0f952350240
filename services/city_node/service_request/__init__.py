"""Requests between cities: the engine that every cross-region service (5.3) runs on.

Vocabulary
----------
A *request* has two ends: the *visited* node (受理地), where the customer stands, and the *home* node (归属地), which
has the customer's record. Each end keeps a *record* of its own under the request's one id. A *kind*
(:class:`~services.city_node.service_request.kind.Kind`) declares states, allowed *moves* and who may make them, time
limits and reasons of refusal in a few lines; the engine lets nothing else happen. The *trail* (办理轨迹) is what
happened, line by line: each move, and each node that a message passed, as one follows a parcel.

Life cycle
----------
A record begins by its first move: at the visited node by a clerk, at the home node by the message that tells of it.
Each move is one transaction: the record's row is locked, the kind asked, the row changed, the trail written, and the
message to the other end posted. What a move means beyond that (a card, an account) is the kind's, in the same
transaction. A final state is never left. The trail can be followed as it grows
(:mod:`~services.city_node.service_request.trail`).

Deadlines
---------
The visited node gives a request its kind's ``time_limit`` by its own clock, and the question carries that deadline. The
customer's level is known at home alone, so home says the *level's deadline* in its first answer: its own clock and the
level's limit, never later than the question's. The visited node adopts it if it is the earlier one; deadlines only ever
come nearer. Time that the question spent on its way does not count against the level's limit. Home's own record ends
``home_grace`` after the deadline that it said, so that whatever the visited node adopts is over before home lets go, as
long as their clocks differ by less than the grace. An answer that never comes leaves the longer deadline: without an
answer nothing can be done at the visited node but give up.

Home
----
Where the clerk does not name the home city, the number's segment does. A question follows a customer who has moved from
home to home, if its kind says so (:mod:`~services.city_node.service_request.following`).

Failure
-------
A repeated message is recognised by its id in the trail. One that comes when all is over is noted there and changes
nothing. One that its kind does not allow is parked by the federation for an operator to see. A record that has passed
its deadline in a state that the clock may end is ended by a job, as its kind says; where only the other end knows
the outcome there is no such move, and the record waits for its word; when it has waited for longer than the state's
patience, a person is called (:mod:`~services.city_node.service_request.attention`).

Who may write: :mod:`~services.city_node.service_request.service` alone writes these tables, called by the kinds.
"""

from services.city_node.service_request import (
    attention,
    commands,
    endpoints,
    jobs,
    kind_endpoints,
    reference,
    trail_endpoints,
)
from services.city_node.service_request.trail import CHANNEL
from shared.capability import Capability, Permission, ReferencePage, Role
from shared.kernel.language import Text

capability = Capability(
    name="service-request",
    summary=Text("Requests between cities, and their trails", "跨地区业务请求及办理轨迹"),
    routers=(endpoints.router, trail_endpoints.router, kind_endpoints.router),
    permissions=(
        Permission(
            "service-request:read",
            Text("See requests between cities and their trails", "查看跨地区业务请求及办理轨迹"),
            frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR, Role.OPERATOR}),
        ),
        Permission(
            "service-request:attend",
            Text("Settle what a request called a person for", "处理转人工的跨地区请求"),
            frozenset({Role.SUPERVISOR, Role.OPERATOR}),
        ),
    ),
    jobs=(attention.JOB, jobs.FORGET_HOMES),
    commands=(("request", commands.app),),
    channels=(CHANNEL,),
    pages=(ReferencePage("request-kinds.md", reference.render_markdown),),
)
