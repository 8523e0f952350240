"""Cross-region transfer (跨地区转网, 5.3.5): a customer of city A becomes one of city V, with everything.

Vocabulary
----------
*A* is the old home and *V* the new one, the home and visited node of a request
(:mod:`services.city_node.service_request`). The *record* is all that A has of the customer, by the register
(:mod:`~services.city_node.transfer.record`). A customer is *live*, *frozen* or *left* at a city, in an *epoch*
(:mod:`services.city_node.customer.ownership`); the *directory* at HQ says whose the customer is
(:mod:`shared.ownership`).

Life cycle
----------
1. V's clerk asks, with the customer's document and consent, sealed for A; state ``asked``.
2. A checks identity and what stands against it, and in one transaction freezes the customer in epoch *n*, packs the
   record and posts it in sealed pieces by the ``bulk`` lane: ``offered``. Or it refuses, with a reason.
3. V keeps the pieces as they come, sealed: nothing of them is a profile here. When all are here and the hash is that of
   the offer, it lands the record in a savepoint and takes that back, so that it knows that it can: ``prepared``. If it
   cannot, it refuses, and A thaws. V may cancel, or its clock may end the request, until then.
4. A hears that V is prepared and asks HQ to move ownership from itself in epoch *n*: ``moving``.
5. HQ's directory compares and swaps: **the commit point**, one statement in one database. It tells both.
6. V goes live in one transaction, in epoch *n + 1*: rows, sealed values under its own keys, points by an entry of its
   ledger, history with a line of the arrival. A's profile becomes a copy in the retained library: lines and SIMs end,
   the points leave by an entry, and nothing of the copy can be changed. Either may happen first.
7. Systems outside follow V, by the outbox of ports (:mod:`~services.city_node.transfer.outside`): the network serves
   each line from there, and the customer is told by SMS.

Failure
-------
Whoever stops before step 5 leaves the customer with A, whoever stops after it with V; there is no other moment. A never
thaws by a clock: only when V says that it gave up before it was prepared, or HQ that it did not move ownership. What
waits for long is asked about (:mod:`~services.city_node.transfer.jobs`): HQ whose the customer is, V whether it still
wants to; each says again what counts, and saying it again changes nothing. Two transfers of one customer at once meet
at the frozen record, and if a restored backup lets both through, at the directory.

While a record is frozen every writer of it is refused or leaves it out (the fence of
:mod:`services.city_node.customer.ownership`), so that what V takes in is what A had.

A city whose database was restored from a backup goes by the directory's word, whatever it remembers, and V recalls its
requests from its own messages (:mod:`~services.city_node.transfer.recall`). Between its start and HQ's word a restored
A believes in an epoch that has passed; what is changed there in these moments stays in its copy's history.

Who may write: :mod:`~services.city_node.transfer.visited` and :mod:`~services.city_node.transfer.arriving` at V,
:mod:`~services.city_node.transfer.offering` and :mod:`~services.city_node.transfer.home`, through
:mod:`~services.city_node.transfer.leaving`, at A.
"""

from services.city_node.transfer import access, commands, endpoints, jobs, messages, outside
from services.city_node.transfer.kind import KIND
from services.city_node.transfer.reading import part
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="transfer",
    summary=Text("Cross-region transfer of customers", "跨地区转网"),
    routers=(endpoints.router,),
    messages=messages.HANDLERS,
    jobs=(jobs.EXPIRY, jobs.INQUIRY),
    permissions=access.permissions,
    commands=(("transfer", commands.app),),
    offers=(part, KIND, *outside.EFFECTS),
)
