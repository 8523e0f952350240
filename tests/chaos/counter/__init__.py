"""The counters of a chaos nation: clerks who serve customers of other cities, and what must hold afterwards.

Beside the made-up requests of :mod:`tests.chaos.traffic`, clerks at every city do over REST what clerks do: card
replacements, payments, repairs and transfers for customers of other cities, while everything fails that can. A clerk
repeats each request, under the same ``Idempotency-Key``, until there is an answer, and goes on from what that says.

Afterwards :mod:`~tests.chaos.counter.reading` asks every node, as its staff, over REST alone, and
:mod:`~tests.chaos.counter.checker` counts how often an invariant was broken. Both know nothing of the tables.
"""
