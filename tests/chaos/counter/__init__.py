"""The counters of a chaos nation: clerks who serve customers of other cities, and what must hold afterwards.

Beside the made-up requests of :mod:`tests.chaos.traffic`, clerks at every city do over REST what clerks do: card
replacements, payments, repairs and transfers for customers of other cities, while everything fails that can. A clerk
repeats each request, under the same ``Idempotency-Key``, until there is an answer, and goes on from what that says.
Some customers are at the counters of two cities at once, and some requests come on two connections at once.

Each kind of service is a module of its own (:mod:`~tests.chaos.counter.services` lists them), done at a
:mod:`~tests.chaos.counter.desk`; :mod:`~tests.chaos.counter.clerks` decides who comes for what.

Afterwards :mod:`~tests.chaos.counter.reading` asks every node, as its staff, and every simulator, over REST alone, for
the :mod:`~tests.chaos.counter.records`, and :mod:`~tests.chaos.counter.checker`, with
:mod:`~tests.chaos.counter.ports`, counts how often an invariant was broken. None of them knows the tables.
"""
