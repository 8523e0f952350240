"""Messages of one type that came one after another are handled at once, and each by itself if that fails."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.federation.models import InboxState
from tests.conftest import Nation
from tests.federation.conftest import (
    COUNTED,
    SUMMED,
    TOGETHER,
    numbers_at,
    parked_at,
    post_numbers,
)

CITY, PROVINCE, HQ = "440300", "440000", "000000"


async def test_what_came_in_a_row_is_handled_at_once_where_it_passes_too(line: Nation) -> None:
    await post_numbers(line[CITY], HQ, 1, 2, 3, type_=SUMMED)
    await post_numbers(line[CITY], HQ, 4)
    await post_numbers(line[CITY], HQ, 5, 6, type_=SUMMED)
    await line.settle()

    for node in (line[PROVINCE], line[HQ]):
        assert await numbers_at(node, SUMMED) == [1, 2, 3, 5, 6]
        assert await numbers_at(node, TOGETHER) == [3, 2]
    assert await numbers_at(line[HQ], COUNTED) == [4]


@pytest.mark.parametrize("fault", ["poison", "defect"])
async def test_one_that_fails_is_parked_alone(
    nation_of: Callable[..., Awaitable[Nation]], fault: str
) -> None:
    line = await nation_of(HQ, PROVINCE, CITY)
    await post_numbers(line[CITY], PROVINCE, 1, 2, 3, type_=SUMMED, key="before")
    wrong: dict[str, Any] = {"key": "wrong", fault: True}
    await post_numbers(line[CITY], PROVINCE, 4, type_=SUMMED, **wrong)
    await post_numbers(line[CITY], PROVINCE, 5, type_=SUMMED, key="wrong")
    await post_numbers(line[CITY], PROVINCE, 6, type_=SUMMED, key="after")
    await line.settle()

    province = line[PROVINCE]
    assert await numbers_at(province, SUMMED) == [1, 2, 3, 6]
    parked = await parked_at(province)
    assert [row.state for row in parked] == [InboxState.PARKED] * 2
    assert [row.type for row in parked] == [SUMMED] * 2
