"""What the benchmarks and the drill are made of; the drill itself runs in its small form in ``.ci/run``."""

from pathlib import Path

import pytest

from bench import Benchmark, Result
from bench.__main__ import benchmarks
from bench.drill_nation import OWN_PROCESSES, choose
from bench.lanes import percentile
from shared.organisation.division import HQ_CODE, division, divisions


async def _unmeasured(quick: bool) -> Result:  # noqa: FBT001
    raise AssertionError(quick)


def benchmark(*, smaller_is_better: bool) -> Benchmark:
    return Benchmark("a", "b", "c", 0.5, _unmeasured, smaller_is_better)


def test_every_benchmark_is_found_by_its_name() -> None:
    assert {
        "read-customer",
        "import-customers",
        "node-memory",
        "lane-throughput",
        "lane-hop",
        "lane-five-nodes",
    } <= set(benchmarks())


def test_a_ratio_tells_how_near_the_value_comes_to_the_ceiling() -> None:
    assert benchmark(smaller_is_better=False).ratio(Result(50.0, 100.0)) == 0.5
    assert benchmark(smaller_is_better=True).ratio(Result(15.0, 5.0)) == pytest.approx(1 / 3)


def test_a_percentile_is_a_value_that_occurred() -> None:
    values = [float(each) for each in range(100, 0, -1)]

    assert (percentile(values, 50), percentile(values, 95)) == (50.0, 95.0)
    assert percentile([7.0], 95) == 7.0


@pytest.mark.parametrize(("provinces", "cities", "spread"), [(31, 337, 2), (2, 6, 1), (2, 2, 3)])
def test_a_nation_has_each_node_in_one_process(provinces: int, cities: int, spread: int) -> None:
    nation = choose(Path("home"), provinces=provinces, cities=cities, spread=spread)
    hosted = [code for codes in nation.processes for code in codes]

    assert (len(nation.provinces), len(nation.cities)) == (provinces, cities)
    assert sorted(hosted) == sorted(nation.codes)
    assert all(division(code).parent in nation.codes for code in nation.codes if code != HQ_CODE)


def test_the_whole_nation_is_every_division() -> None:
    assert set(choose(Path("home"), provinces=31, cities=337, spread=2).codes) == set(divisions())


def test_what_the_probes_pass_shares_no_process_with_the_rest() -> None:
    nation = choose(Path("home"), provinces=31, cities=337, spread=2)
    first, second = nation.probes

    assert {code for codes in nation.processes[:OWN_PROCESSES] for code in codes} == {
        HQ_CODE,
        first,
        second,
        division(first).parent,
        division(second).parent,
    }
    assert division(first).parent != division(second).parent
