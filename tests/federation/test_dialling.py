"""When a child calls its parent again."""

from datetime import timedelta

from shared.federation.models import Lane
from tests.conftest import Nation
from tests.federation.conftest import numbers_at, post_numbers


async def test_a_clock_that_is_put_back_does_not_keep_the_link_down(line: Nation) -> None:
    city, province = line["440300"], line["440000"]
    await post_numbers(city, province.code, 1)
    line.clock.advance(timedelta(minutes=10))
    line.network.cut.add(province.code)
    pause = await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST))
    assert pause is not None

    line.network.cut.clear()
    waiting = await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST))
    assert waiting is not None
    assert 0 < waiting <= pause
    line.clock.advance(timedelta(minutes=-10))

    assert await city.node.dialling.attempt(lambda: city.node.dialler.push(Lane.REQUEST)) is None
    assert await numbers_at(province) == [1]
