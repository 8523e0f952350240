"""Clearing (清算): what cities and provinces owe one another for payments and repairs of each other's customers.

Vocabulary
----------
An *item* is a payment, or its reversal, that the home city credited, or took back; or a repair of which it bears a
part. An *entry* is an item as one node books it, between its neighbours on the way: double-entry, one row with a
*debit* and a *credit* account. An account is a neighbour's code, ``customers`` at a home city (what was credited to its
lines), ``cash`` at a visited one (what its tills took), or ``repairs`` at either (what it bears, less what is due to it
for its work). Who is debited owes. The *position* of an account is what it owes less what is due to it. *Netting*
(轧差) finds the transfers that settle all positions of a node.

Life cycle
----------
The home city's answer is what is booked, in the transaction that writes, passes or hears it: so a node's ledger adds
up to zero at every moment, and at the two ends of a quiet link the accounts mirror each other. An item belongs to the
*business day* on which the home city credited it, which the answer carries, however late somebody hears of it.

When a day is over each child *states* its books to its parent, and the two agree, or name each *difference*
(:mod:`~shared.clearing.statement`). What they do not find out by themselves people *dispute*, and two of them resolve.
A month is *closed* by two people, after which its figures do not change.

Failure
-------
A repeated answer is booked once: a unique index on the item. A late one is booked to its own business day, which is
then stated and compared again; if that day's month is closed, it is counted to the first open day, and its business
day still stands beside it. One that is lost is missed by the statements, and named at both ends. A restored node is
sent again what it has forgotten, and books it again.

Who may write: :mod:`~shared.clearing.ledger` alone writes entries; :mod:`~shared.clearing.statement` and
:mod:`~shared.clearing.difference` what neighbours say; :mod:`~shared.clearing.dispute` and
:mod:`~shared.clearing.month` theirs.
"""

from shared.capability import Capability, Permission, Role
from shared.clearing import commands, dispute, endpoints, jobs, messages, month, transit
from shared.kernel.language import Text

_DESK = frozenset({Role.SUPERVISOR, Role.PROVINCE_COORDINATOR, Role.HQ_ANALYST})

capability = Capability(
    name="clearing",
    summary=Text(
        "What cities and provinces owe one another: ledger, statements, disputes, months",
        "城市与省之间的清算：账、对账单、争议、月结",
    ),
    routers=(endpoints.router,),
    messages=messages.HANDLERS,
    jobs=jobs.JOBS,
    permissions=(
        Permission(
            "clearing:read",
            Text("See what is owed, statements and differences", "查看清算账、对账单与差异"),
            _DESK | {Role.OPERATOR, Role.AUDITOR},
        ),
        Permission(
            "clearing:dispute",
            Text("Open disputes, and resolve them two by two", "提出与处理清算争议"),
            _DESK,
        ),
        Permission(
            "clearing:close",
            Text("Close months, two by two", "清算月结（双人）"),
            _DESK,
        ),
    ),
    actions=(*dispute.ACTIONS, *month.ACTIONS),
    commands=(("clearing", commands.app),),
)

transit_capability = transit.capability
"""What a node between cities has besides."""
