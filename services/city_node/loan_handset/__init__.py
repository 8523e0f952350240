"""The stock of loan handsets (备用机): what a hall lends to customers whose own telephone is being repaired.

A *loan handset* belongs to a hall. It is *lent* for one repair at a time, and comes back into stock, or *damaged* or
not at all (*lost*). What was damaged and mended, or lost and found, is *restocked*; what is worn out is *withdrawn*.

A *loan* is one handing over: to which request, with which deposit, until when, and how it ended. When it ends, what
was taken as a deposit has been given back or kept, to the last fen: a constraint of the table. So is that a handset
is out once at a time, and that a request has one at a time; two who reach for the same one wait for one another at its
row.

Nothing here knows what a repair is: :mod:`services.city_node.repair` says when something is lent and on which terms.

Who may write: :mod:`~services.city_node.loan_handset.service` alone.
"""

from services.city_node.loan_handset.access import permissions
from services.city_node.loan_handset.commands import app
from services.city_node.loan_handset.endpoints import router
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="loan-handset",
    summary=Text("The stock of loan handsets", "备用机库存"),
    routers=(router,),
    permissions=permissions,
    commands=(("loan-handset", app),),
)
