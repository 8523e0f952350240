"""Billing accounts (账户余额): what a line has paid, what of it bills have used, and being suspended for arrears.

Vocabulary
----------
The *balance* (余额) of a line is what was paid for it and no bill has used yet: never negative, and the sum of its
*entries*, which are only added to. The line *owes* (欠费) what its unpaid bills come to beyond that.

Life cycle
----------
A payment is *credited* once, whichever way it came. The balance then pays bills, the oldest first, each as a whole: a
bill is paid or it is not, and what does not cover it waits. Bills that come after the money are paid by a job. A line
that was suspended for arrears, here or again by a reversal, is resumed by the payment that leaves nothing unpaid; one
that was suspended for another reason is not.

A payment is *taken back* whole: out of the balance, and if bills have used it, out of them, the newest first.

Every change is in the customer's history and in the audit log, written in its transaction. Where the node has a port to
the network, that suspends and resumes the line after the commit (:mod:`~services.city_node.billing_account.outside`).

Failure
-------
A unique index lets one payment be credited, and taken back, once, whoever asks. Balances are locked after their line
(:mod:`services.city_node.service_request.lines`).

Who may write: :mod:`~services.city_node.billing_account.service` alone writes these tables; it also writes
``bill.paid_on`` and the status of a line in arrears.
"""

from services.city_node.billing_account import endpoints, jobs, outside
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text

capability = Capability(
    name="billing-account",
    summary=Text("Balances, arrears and suspension of lines", "用户余额、欠费与停复机"),
    routers=(endpoints.router, endpoints.totals_router),
    jobs=(jobs.SETTLEMENT,),
    permissions=(
        Permission(
            "billing-account:read",
            Text("See what a line has paid and owes", "查看用户余额与欠费"),
            frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.SUPERVISOR}),
        ),
        Permission(
            "billing-account:suspend",
            Text("Suspend a line for arrears", "因欠费停机"),
            frozenset({Role.SUPERVISOR}),
        ),
    ),
    offers=outside.EFFECTS,
)
