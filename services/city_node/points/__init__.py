"""Points (积分): what customers earn by what they are billed, and a ledger that always balances.

Vocabulary
----------
A customer has an *account* (账户) with a *balance* (余额). Points of an account that expire on one day are a *lot*
(批次). An *entry* (分录) of the *ledger* (总账) moves points of one lot from one account, the debit, to another, the
credit; the other side of most entries is one of the node's own accounts (:mod:`~services.city_node.points.chart`, which
says what each kind of entry may do). A bill *accrues* (积分) points; what people do is to *redeem*
(:mod:`~services.city_node.redemption`), *adjust* (调整), *transfer* (转赠) and *freeze* (冻结). The *liability* (负债)
of a unit is what its customers have.

What always holds
-----------------
Every entry takes from one account what it gives another: the sum over all accounts is nothing, by the shape of the row.
The balance of an account is the sum of its entries and of its lots, and no balance and no lot is ever negative: the
database refuses it. Entries are only added; the node's role in the database can do nothing else to them. What is used
first is what expires first. ``guanxi points verify`` checks all of it (:mod:`~services.city_node.points.verification`).

Accrual
-------
Set-wise, by the policy ``points`` (:mod:`shared.policy.kinds.points`): fen per point, a rate by level, tenure and
credit, campaigns. Triggers on ``bill`` note which bills came, changed or went (:mod:`~services.city_node.points.due`);
a run judges those, portion by portion, or every bill of the city (:mod:`~services.city_node.points.accrual`). A bill
earns once: it is judged again only if what counts of it changes, at the level and rate of the first time, and the
difference is posted. The policy in plain words is :mod:`~services.city_node.points.reading`; a test compares the two.

Life and end of points
----------------------
Points live for the months that the policy gives, to the end of the month or year, and expire by night. A customer who
left keeps them and cannot use them. A merge moves the account of the profile that ends to the survivor, who then has
two and uses both; bills earn for the primary one. Undoing the merge moves it back, whatever bills or expiry did
meanwhile; if somebody used, gave or took its points since, the undo is refused. Erasure forfeits what is left and
closes the account: the entries stay, under an account that leads to nobody.

Who may write, and how
----------------------
This package and :mod:`~services.city_node.redemption`, through :mod:`~services.city_node.points.ledger`, which says in
what order is locked; accrual, expiry and erasure set-wise, in the same order.

Failure
-------
Runs may be interrupted anywhere: each portion is a transaction, and the next run goes on. Two runs at once take turns.
"""

from services.city_node.points.access import permissions
from services.city_node.points.act_endpoints import router as act_router
from services.city_node.points.audited import ACTIONS
from services.city_node.points.commands import app
from services.city_node.points.endpoints import router
from services.city_node.points.events import EVENTS
from services.city_node.points.runs import jobs, works
from services.city_node.points.statement import part
from shared.capability import Capability
from shared.kernel.language import Text
from shared.policy.kinds.points import POINTS

capability = Capability(
    name="points",
    summary=Text(
        "Points: accrual, ledger, adjustments, transfers", "积分：积分计算、总账、调整与转赠"
    ),
    routers=(router, act_router),
    jobs=jobs,
    works=works,
    permissions=permissions,
    events=EVENTS,
    actions=ACTIONS,
    policies=(POINTS,),
    commands=(("points", app),),
    offers=(part,),
)
