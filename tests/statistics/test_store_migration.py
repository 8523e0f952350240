"""Facts from before the partitions come over whole, earlier revisions too, and go back."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from shared.kernel import migrations
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from shared.kernel.tier import Tier
from shared.statistics.aggregate import put_together
from shared.statistics.verification import differences
from tests.conftest import NOON

BEFORE = "0026"
_FILL = """
    INSERT INTO statistics_measure (code) VALUES ('customers'), ('new_customers');
    INSERT INTO statistics_cell (dims) VALUES ('{"level": "gold", "sex": "male"}'), ('{"level": "gold", "sex": "female"}');
    INSERT INTO statistics_slice (dataset, node, period, revision, hash, row_count, control_totals, computed_at,
                                  received_at, superseded_at)
    SELECT 'customer', node, period, revision, '-', 2, '{"customers": 0, "new_customers": 0}', now(), now(),
           CASE WHEN revision = 1 THEN now() END
    FROM unnest(ARRAY['440100', '440300', '110100']) node, unnest(ARRAY['2026-10', '2026-11', '2026-11-22']) period,
         generate_series(1, 2) revision;
    INSERT INTO statistics_fact SELECT s.id, m.id, c.id, s.id * 100 + m.id * 10 + c.id
    FROM statistics_slice s, statistics_measure m, statistics_cell c;
"""
_FACTS = "SELECT slice_id, measure_id, cell_id, value FROM statistics_fact ORDER BY 1, 2, 3"


@pytest.fixture
async def old(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    name = f"old_{new_id().hex}"
    postgres.create_database(name)
    url = postgres.database_url(name)
    await migrations.upgrade(url, BEFORE)
    yield url
    connection = await asyncpg.connect(postgres.database_url("postgres"))
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


async def test_facts_come_over_whole_and_go_back(old: str) -> None:
    connection = await asyncpg.connect(old)
    await connection.execute(_FILL)
    facts = await connection.fetch(_FACTS)
    assert len(facts) == 72

    await migrations.upgrade(old)
    assert await connection.fetch(_FACTS) == facts
    database = Database(old, 2)
    assert await differences(database, Tier.HQ) == []
    assert await put_together(database, Tier.HQ, now=NOON) == 9
    assert await differences(database, Tier.HQ) == []
    await database.close()

    await migrations.downgrade(old, BEFORE)
    assert await connection.fetch(_FACTS) == facts
    await connection.close()
