"""Clearing (清算): what cities and provinces owe one another for payments that one took and another credited.

Vocabulary
----------
An *item* is a payment, or its reversal, that the home city credited, or took back. An *entry* is an item as one node
books it, between its neighbours on the way: double-entry, one row with a *debit* and a *credit* account. An account is
a neighbour's code, ``customers`` at a home city (what was credited to its lines) or ``cash`` at a visited one (what
its tills took). Who is debited owes.

Life cycle
----------
The home city's answer is what is booked, in the transaction that writes, passes or hears it: so a node's ledger adds
up to zero at every moment, and at the two ends of a quiet link the accounts mirror each other. An item belongs to the
*business day* on which the home city credited it, which the answer carries, however late somebody hears of it.

Failure
-------
A repeated answer is booked once: a unique index on the item. One that is lost is missed by the statements, and named.

Who may write: :mod:`~shared.clearing.ledger` alone writes entries.
"""
