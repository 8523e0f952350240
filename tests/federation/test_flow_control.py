"""Figures and mass data give way: a busy parent says when to come again, and ``bulk`` keeps to its window and rate."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.federation.admission import Admission
from shared.federation.link import ParentBusy
from shared.federation.models import Lane
from shared.federation.pace import Pace
from shared.federation.problems import NodeBusy
from tests.conftest import MakeNode, Nation, enrol
from tests.federation.conftest import COUNTING, numbers_at, post_numbers

BEIJING_NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


async def test_a_busy_parent_is_called_again_later_and_requests_pass(line: Nation) -> None:
    city, province = line["440300"], line["440000"]
    admission: Admission = province.node.app.state.admission
    await post_numbers(city, "440000", 1, lane=Lane.ROLLUP)
    await post_numbers(city, "440000", 2, lane=Lane.REQUEST, key="other")
    with occupied(admission, 4), pytest.raises(ParentBusy) as busy:
        await city.node.dialler.push(Lane.ROLLUP)
    assert 1 <= busy.value.seconds <= 4
    with occupied(admission, 4):
        await city.node.dialler.push(Lane.REQUEST)
    assert await numbers_at(province) == [2]
    await line.settle()
    assert await numbers_at(province) == [2, 1]


def occupied(admission: Admission, count: int) -> "_Occupied":
    """Occupy all places of a parent."""
    return _Occupied(admission, count)


class _Occupied:
    def __init__(self, admission: Admission, count: int) -> None:
        self._places = [admission.admit(Lane.BULK) for _ in range(count)]

    def __enter__(self) -> None:
        for place in self._places:
            place.__enter__()

    def __exit__(self, *_: object) -> None:
        for place in self._places:
            place.__exit__(None, None, None)


async def test_being_busy_is_no_failure_of_the_link(line: Nation) -> None:
    city, province = line["440300"], line["440000"]
    await post_numbers(city, "440000", 1, lane=Lane.ROLLUP)
    with occupied(province.node.app.state.admission, 4):
        pause = await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.ROLLUP))
    assert pause is not None
    assert 1 <= pause <= 8
    assert await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.ROLLUP)) is None
    assert await numbers_at(province) == [1]


def test_the_fields_say_how_many_more_are_taken() -> None:
    admission = Admission(2)
    with admission.admit(Lane.ROLLUP), admission.admit(Lane.REQUEST):
        assert admission.headers["RateLimit"] == '"batches";r=1;t=1'
        with admission.admit(Lane.BULK), pytest.raises(NodeBusy) as refused:
            admission.admit(Lane.BULK).__enter__()
        assert refused.value.headers["RateLimit"] == '"batches";r=0;t=1'
        assert refused.value.headers["Retry-After"].isdigit()
    assert admission.headers["RateLimit"] == '"batches";r=2;t=1'


@pytest.mark.parametrize(
    ("window", "seconds"),
    [
        (None, 0),
        ("08:00-18:00", 0),
        ("22:00-06:00", 36000),
        ("13:00-14:00", 3600),
        ("11:00-12:00", 82800),
    ],
)
def test_a_window_opens_in_business_time(window: str | None, seconds: float) -> None:
    assert Pace.of(window, None).seconds_to_wait(BEIJING_NOON) == seconds


@given(
    sizes=st.lists(st.integers(1, 10**7), min_size=1, max_size=30), rate=st.integers(1000, 10**7)
)
def test_on_average_no_more_than_the_rate_is_spent(sizes: list[int], rate: int) -> None:
    pace, now, sent = Pace.of(None, rate), BEIJING_NOON, 0
    for size in sizes:
        waited = pace.seconds_to_wait(now)
        now = datetime.fromtimestamp(now.timestamp() + waited + 1e-3, UTC)
        elapsed = (now - BEIJING_NOON).total_seconds()
        assert sent <= rate * elapsed + 1
        pace.spend(size, now)
        sent += size


async def test_bulk_waits_for_its_window_in_both_directions(
    make_node: MakeNode, line: Nation
) -> None:
    closed = {"bulk_window": "22:00-06:00"}
    province = await make_node("350000", [COUNTING], **closed)
    city = await make_node("350100", [COUNTING], **closed)
    await enrol(province, line["000000"])
    await enrol(city, province)
    line.nodes.update({"350000": province, "350100": city})
    await line.settle()
    await post_numbers(city, "350000", 1, lane=Lane.BULK)
    await post_numbers(province, "350100", 2, lane=Lane.BULK)
    await line.settle()
    assert (await numbers_at(province), await numbers_at(city)) == ([], [])
    assert city.node.dialler.seconds_until_bulk() == pytest.approx(36000, abs=1)
    line.clock.advance(line.clock.now().replace(hour=14, minute=1) - line.clock.now())
    await line.settle()
    assert (await numbers_at(province), await numbers_at(city)) == ([1], [2])
