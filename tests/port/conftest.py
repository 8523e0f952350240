"""What the tests of ports share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.port.outside import Outside, outside


@pytest.fixture
async def out(database_url: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Outside]:
    async with outside(await database_url(), tmp_path) as made:
        yield made
