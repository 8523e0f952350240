"""The same as :mod:`bench.redeem_points`, with every caller at one account: each waits for the one before to commit."""

from bench import Benchmark, Result
from bench.redeem_points import compare


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure."""
    return await compare(quick=quick, hot=True)


BENCHMARK = Benchmark(
    name="redeem-points-hot",
    summary="redemptions at one account through the service, against the same rows written by bare asyncpg",
    unit="redemptions/s",
    target=0.4,
    run=run,
)
