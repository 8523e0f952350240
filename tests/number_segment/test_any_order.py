"""Editions that come in any order, repeatedly and with gaps: nodes of one version have one table."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.kernel.database import Base, Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from shared.number_segment import repository
from shared.number_segment.edition import Edition, Said
from tests.conftest import NOON
from tests.examples import examples

DIGITS = st.text("0123", min_size=2, max_size=4).map(lambda digits: f"1{digits}")
HOMES = st.sampled_from(["110100", "440100", "440300", None])
EDITIONS = st.lists(st.dictionaries(DIGITS, HOMES, min_size=1, max_size=4), min_size=1, max_size=5)


@pytest.fixture(scope="module")
async def table(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    name = f"segments_{new_id().hex}"
    postgres.create_database(name)
    database = Database(postgres.database_url(name))
    async with database.engine.begin() as connection:
        for name in ("number_segment", "number_segment_edition"):
            await connection.run_sync(Base.metadata.tables[name].create)
    yield database
    await database.close()


def longest(model: dict[str, str | None], number: str) -> str | None:
    """Return the home of a number by the plainest reading of the table."""
    known = [prefix for prefix, home in model.items() if home and number.startswith(prefix)]
    return model[max(known, key=len)] if known else None


@given(
    editions=EDITIONS,
    data=st.data(),
    numbers=st.lists(st.text("0123", min_size=10, max_size=10), min_size=1, max_size=5),
)
@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_the_table_is_what_the_editions_so_far_say(
    table: Database,
    editions: list[dict[str, str | None]],
    data: st.DataObject,
    numbers: list[str],
) -> None:
    pool = await table.pool()
    await pool.execute("TRUNCATE number_segment, number_segment_edition")
    model: dict[str, str | None] = {}
    coming = data.draw(st.lists(st.sampled_from(range(len(editions))), max_size=2 * len(editions)))
    applied = 0
    for place in coming:
        said = Said(
            number=place + 1,
            segments=editions[place],
            published_at=NOON,
            published_by="test",
            note="",
        )
        async with table.transaction() as session:
            held = await repository.version(session)
            assert held == applied
            if said.number == held + 1:
                await repository.apply(session, Edition("x", "y"), said, now=NOON)
                model |= editions[place]
                applied += 1
    async with table.reading() as session:
        for digits in numbers:
            number = f"1{digits}"
            assert await repository.home_of(session, number) == longest(model, number)
