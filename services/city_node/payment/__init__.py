"""Cross-region payment (跨地区缴费, 5.3.4): money taken in city V pays the account in city A, exactly once.

Vocabulary
----------
*A* is the home city and *V* the visited city of a request (:mod:`services.city_node.service_request`). V *takes* the
money into a till's shift (:mod:`services.city_node.till`) and gives a *receipt*; A *credits* it to the line's account
(:mod:`services.city_node.billing_account`). A *reversal* (冲正) takes a credited payment back, whole; it is a request
of its own. What V then owes A is *cleared* (:mod:`shared.clearing`) by every node that A's answer passes.

Life cycle
----------
1. V's clerk takes the money: it is in the drawer's books, the receipt says "received, to be credited", and A is asked;
   state ``taken``. Anybody may pay for any number, so nobody's identity is asked for; the number is sealed for A.
2. A credits the line in one transaction and answers ``credited``, or ``refused`` with a reason. This is the commit
   point.
3. V hears: ``credited``, and that is the end; or ``to_give_back``, until a clerk has handed the cash out:
   ``given_back``.

4. Systems outside follow, by the outbox of ports (:mod:`~services.city_node.payment.outside`): at V a receipt is
   printed, at A the billing system books the credit and the network resumes the line, once each.

A reversal is asked for by a supervisor who did not take the money, on the same business day. A takes the payment out
of the balance, un-paying the bills that used it, and answers ``reversed``; V hands the cash out. Or A refuses, and the
payment stands.

At every moment the cash that the tills took, and did not hand out, is what is waiting, what is credited and not
reversed, and what is to be given back: ``GET /payments/totals`` says so.

Failure
-------
A payment has no deadline and cannot be cancelled. The question is in the lanes from the moment the money is in the
till, and nothing that V says later overtakes it; so A decides, whenever it is reached, and only A's word says whose
the money is. What waits for longer than half an hour wants attention: the link is down, or a message is parked.
Everything about one payment and its reversals is in one order (the payment's id is the partition key).

Repeated: A knows the request, and answers nothing new; V's trail knows the message. The same ``Idempotency-Key`` is
one payment, two keys are two. A unique index lets one payment be credited once, another lets the till move once.

Restored from a backup: V recalls its payments, shifts and what it handed out from its own messages, which its peers
give back; A credits again what it had credited, on the same business day, and refuses again what it had refused
(:mod:`~services.city_node.payment.recall`).

Who may write: :mod:`~services.city_node.payment.visited` and :mod:`~services.city_node.payment.reversal_visited` at V,
:mod:`~services.city_node.payment.home` and :mod:`~services.city_node.payment.reversal_home` at A.
"""

from services.city_node.payment import endpoints, messages, outside
from services.city_node.payment.kind import PAYMENT, REVERSAL
from shared.capability import Capability, Conflict, Permission, Role
from shared.kernel.language import Text

_COUNTER = frozenset({Role.CLERK, Role.SUPERVISOR})

capability = Capability(
    name="payment",
    summary=Text("Cross-region payments, reversals and receipts", "跨地区缴费、冲正与收据"),
    routers=(
        endpoints.router,
        endpoints.reversal_router,
        endpoints.credit_router,
        endpoints.receipt_router,
    ),
    messages=messages.HANDLERS,
    permissions=(
        Permission(
            "payment:take",
            Text("Take payments for other cities, and hand cash out", "收取跨地区缴费、办理退款"),
            _COUNTER,
        ),
        Permission(
            "payment:reverse",
            Text("Reverse a payment that somebody else took", "冲正他人收取的缴费"),
            frozenset({Role.SUPERVISOR}),
        ),
        Permission(
            "payment:allocate",
            Text(
                "Find the line of a payment that a restore has lost",
                "为恢复后缺失用户的入账指定用户",
            ),
            frozenset({Role.SUPERVISOR}),
        ),
        Permission(
            "payment:read",
            Text("See payments, receipts and what the tills took", "查看缴费、收据与收银汇总"),
            _COUNTER | {Role.ACCOUNT_MANAGER, Role.AUDITOR},
        ),
    ),
    conflicts=(
        Conflict(
            frozenset({"payment:take"}),
            frozenset({"payment:reverse"}),
            Text("who took a payment does not reverse it", "收款与冲正不得为同一人"),
            of_one_change=True,
        ),
    ),
    offers=(PAYMENT, REVERSAL, *outside.EFFECTS),
)
