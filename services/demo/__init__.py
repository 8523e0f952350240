"""The demo: the whole idea in one command, on data that nobody here wrote.

It is a client of the program like any other. It starts the nodes as ``guanxi up`` does, loads customers and counts them
with the commands that an operator uses, and asks and looks over REST as a clerk and an analyst do. No node knows it.

What it shows
-------------
1. Nodes in three tiers, each a process with a database of its own (:mod:`~services.demo.nodes`).
2. The 7,043 rows of the public table ``wa_churn`` as customers of four cities (:mod:`~services.demo.people`,
   :mod:`~services.demo.importing`); those who left are in the retained library.
3. The cities' figures at HQ (:mod:`~services.demo.figures`), and that they equal a plain count over the table; what
   becomes of them when a city corrects a profile (:mod:`~services.demo.correction`) and when a city is cut off
   (:mod:`~services.demo.missing`), which the answer and the board then say.
4. Levels by a policy of HQ, and what another policy would change (:mod:`~services.demo.rules`).
5. What customers of other cities come to a counter for (:mod:`~services.demo.services`): a card replaced and one
   refused (:mod:`~services.demo.replacements`), with what systems outside were asked for it, once each though an answer
   was lost (:mod:`~services.demo.outside`); a repair (:mod:`~services.demo.repairs`); a transfer, refused until the
   bills are paid (:mod:`~services.demo.transfers`); payments at tills (:mod:`~services.demo.tills`).
6. A link that is cut (:mod:`~services.demo.cable`, :mod:`~services.demo.outage`): money is taken behind it and a
   request cancelled, and both are known at home, once, when it is mended.
7. The day's clearing, which adds up to zero and equals the tills (:mod:`~services.demo.clearing`).
8. A hall that ran low on blank cards meanwhile and ordered from the supplier; what came is received, and the hall has
   as many as it should (:mod:`~services.demo.supplies`).

Nothing of it is assumed: what a node answers is compared with what the others do, and the demo fails if it differs.

Repeating
---------
What must be the same the next time (ports, the reference date, passwords, how often customers were sent to the
counters, who has moved) is written to the demo's home before it is used (:mod:`~services.demo.memory`). Everything else
may be done again: importing the same file changes nothing, counting what has not changed makes no new revision. So the
demo can be killed anywhere and started again: it sends other customers then (:mod:`~services.demo.casting`), goes on
with a shift that was left open, and asks the new city what became of those who were moving.
"""
