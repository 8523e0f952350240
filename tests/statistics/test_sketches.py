"""Sketches: one image for the same people or values, which DataSketches reads, and errors as they are stated."""

import base64
import random
from collections.abc import Callable
from itertools import permutations

import datasketches
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.statistics import sketches
from shared.statistics.sketches import (
    DISTINCT_ERROR,
    RANK_ERROR,
    Distinct,
    SketchInvalid,
    Weights,
    read,
    write,
)
from tests.sketched import distinct, distribution, persons, rank_missed

COUNTS = (1, 2, 3, 511, 512, 513, 1_000, 4_097, 30_011)


def charges(number: int, seed: int = 1) -> list[int]:
    """Most people pay little, some pay very much."""
    drawn = random.Random(seed)  # noqa: S311 - made-up charges
    return sorted(int(drawn.lognormvariate(9, 1.2)) for _ in range(number))


def union(*images: bytes) -> Distinct:
    merged = Distinct()
    for each in images:
        merged.add(each)
    return merged


def weights(*images: bytes) -> Weights:
    merged = Weights()
    for each in images:
        merged.add(each)
    return merged


@pytest.mark.parametrize("number", COUNTS)
def test_the_library_reads_a_distribution_as_what_it_is(number: int) -> None:
    values = charges(number)
    found = datasketches.kll_doubles_sketch.deserialize(distribution(values))

    assert (found.n, found.k, found.get_min_value(), found.get_max_value()) == (
        *(number, sketches.VALUES),
        *(values[0], values[-1]),
    )
    for percent in range(1, 100):
        told = int(found.get_quantile(percent / 100, inclusive=True))
        assert rank_missed(values, told, percent) <= RANK_ERROR
    assert found.normalized_rank_error(as_pmf=False) > RANK_ERROR  # the stated one is the stricter


@pytest.mark.parametrize("number", [0, 1, 50, 3_000, 40_000])
def test_the_library_reads_people_as_how_many_they_are(number: int) -> None:
    found = datasketches.hll_sketch.deserialize(distinct(persons(number)))

    assert found.lg_config_k == sketches.REGISTER_BITS
    assert found.get_estimate() == pytest.approx(number, rel=DISTINCT_ERROR)
    stated = datasketches.hll_sketch.get_rel_err(
        upper_bound=True, unioned=True, lg_k=sketches.REGISTER_BITS, num_std_devs=2
    )
    assert pytest.approx(abs(stated), abs=1e-4) == DISTINCT_ERROR


def test_the_library_merges_as_this_does() -> None:
    images = [distinct(persons(2_000, first)) for first in (0, 1_000, 5_000)]
    merged = datasketches.hll_union(sketches.REGISTER_BITS)
    for each in images:
        merged.update(datasketches.hll_sketch.deserialize(each))

    assert union(*images).image() == distinct(persons(3_000) + persons(2_000, 5_000))
    assert union(*images).estimate() == round(merged.get_estimate())
    assert union().image() == distinct([])
    assert union().estimate() == 0


@pytest.mark.parametrize("number", COUNTS)
def test_no_quantile_is_farther_off_than_is_stated(number: int) -> None:
    values = charges(number)
    told = weights(distribution(values)).quantiles({str(each): each for each in range(1, 101)})

    assert sum(weight for _, weight in sketches.weighted(distribution(values))) == number
    assert max(rank_missed(values, told[str(each)], each) for each in range(1, 101)) <= RANK_ERROR
    if number <= sketches.VALUES:
        assert all(rank_missed(values, told[str(each)], each) == 0 for each in range(1, 101))


@given(values=st.lists(st.integers(0, 2**40), min_size=1, max_size=1_500))
def test_any_distribution_keeps_to_its_error_and_has_one_image(values: list[int]) -> None:
    image = distribution(values)

    assert distribution(reversed(values)) == image
    assert read(write(image)) == image
    told = weights(image).quantiles({"p50": 50, "p90": 90, "p99": 99})
    ordered = sorted(values)
    for code, value in told.items():
        assert rank_missed(ordered, value, int(code[1:])) <= RANK_ERROR


@given(st.lists(st.lists(st.integers(0, 300), max_size=40), min_size=2, max_size=5), st.randoms())
def test_people_are_merged_in_any_order_and_over_any_tiers(
    groups: list[list[int]], order: random.Random
) -> None:
    images = [distinct(persons(1, nth)[0] for nth in group) for group in groups]
    everybody = distinct(persons(1, nth)[0] for group in groups for nth in group)
    shuffled = order.sample(images, len(images))
    province = union(*shuffled[:2]).image()

    assert union(*images).image() == everybody
    assert union(*shuffled[2:], province, province).image() == everybody


@given(st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=900), min_size=1, max_size=4))
def test_distributions_are_merged_in_any_order_within_their_error(groups: list[list[int]]) -> None:
    images = [distribution(group) for group in groups]
    asked = {"p10": 10, "p50": 50, "p99": 99}
    told = {tuple(weights(*each).quantiles(asked).items()) for each in permutations(images)}

    assert len(told) == 1
    ordered = sorted(value for group in groups for value in group)
    for code, value in told.pop():
        assert rank_missed(ordered, value, asked[code]) <= RANK_ERROR


def test_who_is_counted_twice_is_one_person() -> None:
    there = persons(500)

    assert distinct([*there, *reversed(there)]) == distinct(there)
    assert (
        union(distinct(there), distinct(there[:100])).estimate()
        == union(distinct(there)).estimate()
    )


def _damaged(image: bytes, at: int, to: int) -> str:
    spoilt = bytearray(image)
    spoilt[at] = to
    form = write(image).partition(":")[0]
    return f"{form}:{base64.b64encode(bytes(spoilt)).decode()}"


PEOPLE, CHARGES = distinct(persons(9)), distribution(charges(600))


@pytest.mark.parametrize(
    "text",
    [
        "",
        7,
        None,
        "hll.1",
        "hll.1:?",
        write(PEOPLE)[:-8],
        write(PEOPLE).replace("hll.1", "hll.2"),
        write(PEOPLE).replace("hll.1", "kll.1"),
        write(CHARGES).replace("kll.1", "hll.1"),
        write(CHARGES)[:-12],
        write(CHARGES) + "AAAA",
        _damaged(PEOPLE, 3, 12),  # another number of registers
        _damaged(PEOPLE, 5, 0),
        _damaged(PEOPLE, 100, 60),  # a rank that no hash gives
        _damaged(PEOPLE, 100, 1),  # a register that the head does not speak of
        _damaged(CHARGES, 4, 1),  # another size
        _damaged(CHARGES, 8, 0),  # another count
        _damaged(CHARGES, 15, 255),
        _damaged(CHARGES, 200, 77),
        _damaged(CHARGES, len(CHARGES) - 1, 255),  # below the least
    ],
)
def test_what_is_no_sketch_is_refused(text: object) -> None:
    with pytest.raises(SketchInvalid, match="a sketch of the form"):
        read(text)


@pytest.mark.parametrize("make", [lambda: distribution([]), lambda: sketches._distinct(b"\0")])
def test_nothing_is_made_of_nothing(make: Callable[[], bytes]) -> None:
    with pytest.raises((SketchInvalid, IndexError)):
        make()
