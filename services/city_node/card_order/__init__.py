"""Orders of blank cards (空白卡订购): what keeps the card stock of the halls filled, by way of the supplier's port.

Vocabulary
----------
A hall's *reorder level* (再订购点) is the number of cards in stock under which its *order quantity* (订购量) is
ordered; without one nothing is ordered by itself. An *order* (订购单) is shipped in one *consignment* (发货批次) or
several. The supplier's *dispatch advice* (发货通知) says which cards a consignment has. These are *in transit* (在途)
until the hall's staff *receive* (收货) them.

Life cycle
----------
::

    placed -> confirmed -> shipped -> received
       |          |           |
       |          +-----------+-----> cancelled
       +-> refused -----------------> cancelled

1. ``placed``: the stock was found under its level. The order and the call to the supplier are one transaction.
2. ``confirmed``: the supplier ships it. The node asks for the advice of one consignment after the other, at once and
   then every hour, and notes their cards.
3. ``shipped``: the advice says that no more comes. ``received``: nothing is in transit any more.

``refused`` holds the hall's place until a person has settled with the supplier why, and cancels; otherwise every look
at the stock would place another one. Cancelling counts at once and the supplier is told: what it had shipped before is
advised, arrives and is received as ever.

Cards that never arrive are *written off* (核销) as *lost* (遗失): one member of staff proposes it with a reason,
another approves. An order that has been shipped is then ``received`` when nothing else is in transit. A lost card that
turns up after all is received by its order like any other, if it is named: the advice has not become wrong.

A hall has one open order at a time: a unique index, whoever looks at the stock how often.

Why a job looks at the stock, and not whoever takes a card
-----------------------------------------------------------
Two clerks who take the last cards at once do not see one another's: each would find the stock at its level, and nobody
would order, unless the counter waited for a lock at every card. A look a minute from outside sees them both. It also
sees what falls otherwise (cards that a restored node recalls, an order that arrived short, a level that was raised),
costs nothing in the hour of most customers, and counts no further than the level, in one statement for all halls. A
level that was just set is looked at in its own transaction, so that whoever sets it sees the order.

Failure
-------
The supplier is asked through the outbox of ports (:mod:`shared.port`), under keys that follow from the order, whose id
follows from the hall and a running number: a node restored from a backup places its orders again with the same keys,
asks for the same advices, and the supplier ships nothing twice. Cards enter the stock once, because only those in
transit by an order can be received by it, with the order locked.

Who may write: :mod:`~services.city_node.card_order.outside` what the supplier is asked and answers,
:mod:`~services.city_node.card_order.service` what staff do. The cards themselves belong to
:mod:`services.city_node.card_replacement.stock`. What two people write off is in
:mod:`~services.city_node.card_order.loss`.
"""

from services.city_node.card_order import endpoints, jobs, loss, outside, service
from services.city_node.card_order.access import permissions
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="card-order",
    summary=Text("Orders of blank cards from the supplier", "空白卡订购与收货"),
    routers=(endpoints.router, endpoints.stock_router, endpoints.loss_router),
    jobs=(jobs.SUPPLY,),
    permissions=permissions,
    actions=(*service.ACTIONS, *loss.ACTIONS),
    offers=outside.EFFECTS,
)
