"""Evaluating the customers whose bills changed, one in a hundred, against evaluating the whole city."""

from statistics import median

from bench import Benchmark, Result
from bench.big_city import size
from bench.evaluation import ROUNDS, ROUNDS_QUICK, evaluated_city, seconds
from services.city_node.evaluation.models import Scope
from services.city_node.evaluation.service import Evaluator
from services.city_node.level.rule import RULE


async def run(quick: bool) -> Result:  # noqa: FBT001 - the interface of every benchmark
    """Measure; the value is how long the whole city takes, the ceiling how long those who changed."""
    whole, changed = list[float](), list[float]()
    async with evaluated_city(RULE.table, size(quick=quick)) as city:

        def evaluator() -> Evaluator:
            return Evaluator(city.context, RULE, city.moment(), "bench")

        await evaluator().evaluate_city()
        for _ in range(ROUNDS_QUICK if quick else ROUNDS):
            for taken, by_change in ((changed, True), (whole, False)):
                await city.change()
                now = evaluator()
                taken.append(
                    await seconds(now.evaluate_changed if by_change else now.evaluate_city)
                )
        await city.change()
        last = await evaluator().evaluate_changed()
        assert last.scope == Scope.CHANGED
        customers = last.customers
    return Result(1000 * median(whole), 1000 * median(changed), {"changed customers": customers})


BENCHMARK = Benchmark(
    name="evaluate-changed",
    summary="levels of a whole city, against those of the 1 % whose bills changed: times faster",
    unit="ms",
    target=10,
    run=run,
)
