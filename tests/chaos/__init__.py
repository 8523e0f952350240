"""Whatever fails, nothing accepted is lost, doubled or out of order: shown with real processes and real faults.

``make chaos`` runs a nation of six nodes, HQ, two provinces and three cities, each a process of its own with a
PostgreSQL of its own, a proxy on every link, and simulated systems outside. Clients ask cities for things that another
city has to do, clerks serve customers of other cities, and cities tell HQ their figures, while nodes and databases are
killed, links and ports fail in every way that they fail, clocks go wrong, disks fill, and nodes come back from old
backups. Then everything is healed, what is under way may finish, and a checker compares what the clients were told with
what the databases hold, and what the clerks were told with what nodes and ports say.

Vocabulary
----------
A *fault* has a kind, a target, a moment and a length, all drawn from the *seed* (:mod:`~tests.chaos.schedule`), and
*heals*. A *request* is *accepted* once its client has a 2xx; the client repeats it, under the same id, until then. Its
*effect* is a row at the city that does it, its *answer* a row at the city that was asked. Neither table has a unique
constraint, and nothing but the federation keeps them single: a second effect would be a second row.

Parts
-----
:mod:`~tests.chaos.node` is the program of one node, :mod:`~tests.chaos.capability` what it does;
:mod:`~tests.chaos.sabotage` switches off what a checker has to notice the lack of. :mod:`~tests.chaos.nation`,
:mod:`~tests.chaos.postgres`, :mod:`~tests.chaos.proxy` and :mod:`~tests.chaos.outside` hold the processes, servers,
links and simulators, :mod:`~tests.chaos.faults` breaks them, :mod:`~tests.chaos.traffic` is the clients.
:mod:`~tests.chaos.reading` reads the databases and :mod:`~tests.chaos.checker` judges what it read.
:mod:`~tests.chaos.counter` is the clerks, and the judgement of what came of their work. :mod:`~tests.chaos.run` puts a
run together.

A checker that cannot fail is no checker: unless told otherwise, every run is followed by short ones in which the nodes
lack something, and the checker has to find that out (:mod:`~tests.chaos.traps`).
"""
