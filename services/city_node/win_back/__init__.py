"""Winning customers back who left (客户赢回): whom to try, who tried how, and what came of it.

Vocabulary
----------
An *attempt* is made by somebody over a channel, perhaps with an offer, and has a *result*: planned, contacted,
interested, declined, unreachable or returned. It carries the *departure* that it is about (day, reason, competitor and
the monthly charge that was lost), because the customer's row forgets it when the customer returns. The latest attempt
may say when to try again; the *worklist* is everybody who left, with value, time since leaving and the last attempt.

Rules
-----
Only a customer of the retained library can be won back. Who has the preference ``marketing: refused`` is not in the
worklist, and an attempt is refused. ``returned`` is never set by hand: restoring the customer through the attempt sets
it, in the same transaction, so that a success is a customer who is there.

After the return
----------------
The customer keeps the number, the history and the entry date: tenure counts from the first entry, as if the customer
had never left. The lines that ended stay ended; new ones are given. The level stays until it is next evaluated.

Success rates count departures with an attempt that was made; those of customers who were erased count on.
"""

from services.city_node.held.endpoints import router_of
from services.city_node.win_back.endpoints import router
from services.city_node.win_back.held import attempts
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="win-back",
    summary=Text("Winning customers back", "客户赢回"),
    routers=(router, router_of(attempts)),
    offers=(attempts.part,),
)
