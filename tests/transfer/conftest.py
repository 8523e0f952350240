"""A small nation, emptied before each test."""

from collections.abc import AsyncIterator

import pytest

from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.transfer.nation import SmallNation, small_nation


@pytest.fixture(scope="session")
async def four(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SmallNation]:
    async with small_nation(postgres, template, tmp_path_factory.mktemp("nation")) as made:
        yield made


@pytest.fixture
async def nation(four: SmallNation) -> SmallNation:
    await four.empty()
    return four
