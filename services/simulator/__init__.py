"""Simulators of the ports: real HTTP services that keep the contracts, with faults that can be switched on.

For development, demonstrations and fault tests; no node knows them. ``guanxi simulate`` serves one or several, each
under its own path: ``http://127.0.0.1:8590/network``.

What a simulator does
---------------------
It takes each operation of its port's contract (:mod:`shared.port.contracts`), with the ``Idempotency-Key`` that the
contract asks for. What is new it does, and writes to its *journal* before it answers; what has a key that it knows it
answers as the first time, and does nothing. A refusal is not kept: the same call may be made again when what it was
refused for has been mended. What a simulator knows of the world (which card a number answers on, what was credited)
follows from its journal alone, so that it is the same after it was killed and started again.

Besides the contract
--------------------
``PUT /faults`` switches faults on, ``GET /calls`` lists every call that came and what became of it: a checker sees from
it whether each effect happened exactly once and in order. ``GET /effects`` gives what was done since the journal began:
a checker sees from it how the world is, which card a number answers on, say. All are open to whoever reaches the
simulator: it listens on loopback unless it is told otherwise, and is no place for real customers' data.
"""
