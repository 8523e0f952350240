"""Cities that repair handsets, messages carried by hand."""

from collections.abc import AsyncIterator

import pytest

from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.repair.workshop import Workshops, workshops


@pytest.fixture(scope="session")
async def opened(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workshops]:
    async with workshops(postgres, template, tmp_path_factory.mktemp("workshops")) as made:
        yield made


@pytest.fixture
async def shop(opened: Workshops) -> Workshops:
    """A gold customer at home, and two handsets to lend in the visited city."""
    await opened.set_up()
    return opened
