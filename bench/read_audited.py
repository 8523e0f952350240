"""Reading a customer by id with each look on disk before its answer, 16 callers, against bare reads without any record.

The same two processes as in :mod:`bench.read_customer`. The fewer callers there are, the fewer looks share a commit:
16 is a hall with its counters. That the looks were recorded is counted.
"""

from bench import Benchmark, Result
from bench.read_customer import measure

CALLERS = 16


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure in many short rounds, so that whatever else the machine does disturbs both alike."""
    rounds, seconds = (7, 0.5) if quick else (21, 1.0)
    node, bare, looks = await measure(rounds, seconds, CALLERS)
    assert looks >= node * seconds * rounds / 2, "answers were given without their looks"
    return Result(node, bare, {"looks": looks})


BENCHMARK = Benchmark(
    name="read-audited",
    summary="a customer by id, each look durable in the audit log, 16 callers, against bare FastAPI and asyncpg",
    unit="answers/s",
    target=0.4,
    run=run,
)
