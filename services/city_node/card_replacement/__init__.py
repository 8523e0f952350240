"""Cross-region card replacement (跨地区补卡, 5.3.2): a customer of city A gets a new SIM in city V.

Vocabulary
----------
*A* is the home node and *V* the visited node of a request (:mod:`services.city_node.service_request`). V's *stock*
holds blank *cards* by hall; one that was ordered (:mod:`services.city_node.card_order`) is *in transit* before. A's
*reservation* is its promise that one request may switch a line, for a time. To *write* a card is to make it out to the
customer; to *switch* is to end the old SIM and begin the new one.

Life cycle
----------
1. V's clerk asks: a card of the hall is *reserved*, the question posted; state ``asked``. The customer's numbers are
   sealed for A: neither V's database nor the nodes in between hold them in clear.
2. A checks identity and line, and answers: ``approved`` with a reservation, or ``refused`` with a reason.
3. V's clerk has the card *written* and V tells A: ``written``. V may cancel or time out before, not after.
4. A switches: in one transaction the old SIM ends, the new one begins, the record is ``completed`` and the answer
   posted. This is the commit point. If the reservation has ended meanwhile, A refuses.
5. V hears: the card is *issued*, or, refused after it was written, *spoiled*.
6. Systems outside follow, by the outbox of ports (:mod:`~services.city_node.card_replacement.outside`): at A the
   network and then an SMS to the customer, at V a receipt. What they do is noted in the trail, and undoes nothing.

At every moment the line has exactly one active SIM: only step 4 touches it, in one transaction of one database,
under the customer's row lock, and a unique index stands behind it.

Failure
-------
Whoever gives up before step 4 leaves the old SIM as it was, and the card goes back. V's time is over first, and it
tells A. A keeps its promise for longer than V's time (``Kind.home_grace``), so that a card written in the last moment
still counts; a written card whose news reaches A too late is refused, and spoiled. While V has written and not heard,
it waits: A's word comes when the links heal, because A answers every question it receives.

A city whose database is restored from a backup recalls its requests and cards from its own messages, which its peers
give back, and as home keeps the word that it had given (:mod:`~services.city_node.card_replacement.recall`).

Who may write: :mod:`~services.city_node.card_replacement.visited` through
:mod:`~services.city_node.card_replacement.stock` at V, :mod:`~services.city_node.card_replacement.home` at A.
"""

from services.city_node.card_replacement import commands, endpoints, jobs, messages, outside
from services.city_node.card_replacement.kind import KIND
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="card-replacement",
    summary=Text("Cross-region card replacement and the stock of cards", "跨地区补卡与卡库存"),
    routers=(endpoints.router, endpoints.stock_router),
    messages=messages.HANDLERS,
    jobs=(jobs.EXPIRY,),
    permissions=(
        Permission(
            "card-replacement:ask",
            Text("Ask another city for a card replacement, and cancel it", "提交、取消跨地区补卡"),
            frozenset({Role.CLERK, Role.SUPERVISOR, Role.ACCOUNT_MANAGER}),
        ),
        Permission(
            "card-replacement:write",
            Text("Write a card for an approved replacement", "为已核准的补卡写卡"),
            frozenset({Role.CLERK, Role.SUPERVISOR}),
        ),
        Permission(
            "sim-card:load",
            Text("Load blank cards into stock", "空白卡入库"),
            frozenset({Role.SUPERVISOR, Role.OPERATOR}),
        ),
        Permission(
            "sim-card:read",
            Text("See the stock of cards", "查看卡库存"),
            frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR, Role.OPERATOR}),
        ),
    ),
    commands=(("card", commands.app),),
    offers=(KIND, *outside.EFFECTS),
)
