"""The demo: the whole idea in one command, on data that nobody here wrote.

It is a client of the program like any other. It starts the nodes as ``guanxi up`` does, loads customers and counts them
with the commands that an operator uses, and asks and looks over REST as a clerk and an analyst do. No node knows it.

What it shows
-------------
1. Nodes in three tiers, each a process with a database of its own (:mod:`~services.demo.nodes`).
2. The 7,043 rows of the public table ``wa_churn`` as customers of four cities (:mod:`~services.demo.people`); those
   who left are in the retained library.
3. The cities' figures at HQ (:mod:`~services.demo.figures`), and that they equal a plain count over the table.
4. A card replaced across two provinces, and one refused (:mod:`~services.demo.replacements`).
5. What the network, the SMS gateway and the receipt printer were asked for it, once each though an answer was lost
   (:mod:`~services.demo.outside`).

Repeating
---------
What must be the same the next time (ports, the reference date, passwords, how many replacements were asked) is
written to the demo's home before it is used (:mod:`~services.demo.memory`). Everything else may be done again:
importing the same file changes nothing, counting what has not changed makes no new revision. So the demo can be killed
anywhere and started again.
"""
