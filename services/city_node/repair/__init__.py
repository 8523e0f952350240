"""Cross-region repair (跨地区维修, 5.3.3): a handset of city A's customer is repaired in city V.

Vocabulary
----------
*A* is the home node and *V* the visited node of a request (:mod:`services.city_node.service_request`). V's *ticket*
is what it knows of the handset and of the repair; an *estimate* says what it will cost, and the customer's consent to
it stands with its time and the clerk. A's *promise* says what A bears of one repair and on what terms V may lend a
handset meanwhile (:mod:`services.city_node.loan_handset`). A's *record* is the repair on the customer's record.

Life cycle
----------
1. V's clerk opens a ticket; state ``asked``. The customer's numbers and the IMEI are sealed for A: neither V's database
   nor the nodes in between hold them in clear.
2. A checks identity, line and warranty, and answers by its policy (:mod:`shared.policy.kinds.repair`): ``confirmed``
   with its promise, or ``refused`` with a reason. A handset is in one repair at a time, wherever it is brought.
3. V estimates: ``estimated``. The customer agrees: ``agreed``, or declines, and all is over. A cost above what was
   agreed needs a new estimate (``revised``) and a new word.
4. While it is in the workshop V may lend a handset against the promised deposit, and takes it back.
5. V has repaired or replaced it, or found that it cannot be repaired: ``repaired``. Nothing leads back from here. A,
   which knows the customer's numbers, has them told by SMS (:mod:`~services.city_node.repair.outside`).
6. The customer has it back and paid their part: ``returned``. V tells A who bears what.
7. A computes its part again from its own promise, records the repair with the customer, puts a new handset onto the
   line, and answers ``recorded`` with what it bears and the business day: this is the commit point, by which the cities
   clear what they owe each other. V is ``completed``.

The customer's satisfaction is asked at pick-up or later, and kept at both ends; the words at A alone.

Who bears what (:mod:`~services.city_node.repair.cost`): A its promised share up to its cap; V what it lets the customer
off; the customer the rest, never more than they agreed to. The parts add up to the cost, by a constraint of the tables
at both ends. Where A's figure differs from V's, A's counts, the difference is V's, since the customer has paid already,
and the trail and a filter of the list (``differs``) tell people of it.

Failure
-------
Cancelled, declined or expired at V before it is repaired: A's promise falls and nobody owes anything. None of it, nor
handing back, is possible while a loan handset is out. The clock ends what nobody decides about (``asked``,
``confirmed``, ``estimated``); once the customer has agreed only people end it, and at A only V's word, because only V
knows how far it is. Repeated messages change nothing. A message that comes when all is over is noted. A visited node
that was restored from a backup recalls the whole of its end from its own messages, and a home node keeps its word
(:mod:`~services.city_node.repair.recall`).

Who may write: :mod:`~services.city_node.repair.visited`, :mod:`~services.city_node.repair.work`,
:mod:`~services.city_node.repair.lending` and :mod:`~services.city_node.repair.satisfaction` at V,
:mod:`~services.city_node.repair.home` through :mod:`~services.city_node.repair.recording` at A.
"""

from services.city_node.repair.access import permissions
from services.city_node.repair.commands import app
from services.city_node.repair.endpoints import report_router, router
from services.city_node.repair.events import EVENTS
from services.city_node.repair.jobs import EXPIRY
from services.city_node.repair.kind import KIND
from services.city_node.repair.messages import HANDLERS
from services.city_node.repair.outside import EFFECTS
from services.city_node.repair.part import repairs
from services.city_node.repair.work_endpoints import router as work_router
from shared.capability import Capability
from shared.kernel.language import Text

capability = Capability(
    name="repair",
    summary=Text("Cross-region repair of handsets", "跨地区终端维修"),
    routers=(router, work_router, report_router),
    messages=HANDLERS,
    jobs=(EXPIRY,),
    permissions=permissions,
    events=EVENTS,
    commands=(("repair", app),),
    offers=(repairs, KIND, *EFFECTS),
)
