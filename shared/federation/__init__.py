"""How nodes speak to one another. Knows no customer.

Vocabulary
----------
A *node* is known by its division code and its keys; its *peers* are its parent and its children. A *message* is a
CloudEvents envelope signed end to end by its *origin* and addressed to a *destination*; nodes in between *forward*
it, byte for byte, and note the *hop*. Between two peers there are four *lanes*, each a sequence of its own in each
direction, so that a storm of roll-ups never delays a card replacement.

Life of a message
-----------------
1. Business code posts it (:mod:`~shared.federation.post`): a row in the *outbox*, in the transaction of the change
   it announces, for the peer that is its next hop.
2. The lane numbers it (:mod:`~shared.federation.outbox`) after commit, under the lane's row lock: dense, so that a
   receiver can tell a gap; and chains it to those before it (:mod:`~shared.federation.lane`), so that two ends can
   tell whether they have the same history.
3. The child dials (:mod:`~shared.federation.dialler`): it pushes its batches to the parent and holds a poll open for
   what the parent has for it. Every exchange is signed both ways (:mod:`~shared.federation.signature`).
4. The receiver (:mod:`~shared.federation.receiver`), in one transaction: locks the lane's cursor, skips what it has
   seen, refuses a gap and another history, puts each message into the *inbox*, handles or forwards it, moves the
   cursor; commits; then acknowledges with a signed *receipt* (:mod:`~shared.federation.receipt`), which both sides
   keep. A batch may come any number of times; its effect happens once.

Failure
-------
A link that is down is tried again after a time that grows (full jitter, 1 s to 5 min) and is kept with the peer; it is
cleared as soon as the peer is heard from. A message whose handler refuses it is *parked* with its reason, and so are
later ones of the same origin and partition key, so that order holds; everything else flows. A message from an origin
whose key is not yet known waits parked until the *registry* brings it. The origin of what is parked gets a *notice*
(:mod:`~shared.federation.notices`); operators see, retry and discard it (:mod:`~shared.federation.parking`).

A database that was restored from an old backup is found out by its peers, and both reconcile
(:mod:`~shared.federation.reconciliation`).

Identity
--------
Whose signature counts is read from the registry alone (:mod:`~shared.federation.registry`). A node joins by
:mod:`~shared.federation.enrolment`, changes its key by :mod:`~shared.federation.rotation`, and moves, is retired or
revoked by :mod:`~shared.federation.membership`; :mod:`~shared.federation.tree` finds the way to it, and
:mod:`~shared.federation.freshness` tells how old the registry is.

Who may write: :mod:`~shared.federation.repository`, :mod:`~shared.federation.outbox`,
:mod:`~shared.federation.inbox`, :mod:`~shared.federation.reconciliation`, :mod:`~shared.federation.tree` (where a
message goes next) and, the notices, :mod:`~shared.federation.notices` alone touch these tables.
"""
