"""What a province and HQ do with the slices that cities send: keep, verify, refuse, remember."""

from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import NodeContext
from shared.federation.delivery import MessageRefused
from shared.kernel.database import Database
from shared.statistics.messages import handle_slice, handle_slices, slice_handler
from shared.statistics.models import (
    StatisticsCell,
    StatisticsFact,
    StatisticsMargin,
    StatisticsSlice,
)
from shared.statistics.repository import RevisionConflict
from shared.statistics.slices import Slice
from tests.statistics.slices_by_hand import (
    COMPUTED,
    GOLD_MAN,
    GOLD_WOMAN,
    STANDARD_MAN,
    delivery,
    slice_of,
)

CELLS = {GOLD_MAN: {"customers": 2, "highest_monthly_charge_fen": 0}, GOLD_WOMAN: {"customers": 3}}
CORRECTED = {GOLD_MAN: {"customers": 2}, STANDARD_MAN: {"customers": 3}}
NO_CONTEXT = cast("NodeContext", None)  # the handler asks nothing of its node
NO_SESSION = cast("AsyncSession", None)


async def bring(database: Database, slice_: Slice, **how: Any) -> None:
    async with database.transaction() as session:
        await handle_slice(NO_CONTEXT, delivery(session, slice_, **how))


async def register(session: AsyncSession) -> list[tuple[int, bool]]:
    rows = await session.execute(
        select(StatisticsSlice.revision, StatisticsSlice.superseded_at).order_by(StatisticsSlice.id)
    )
    return [(row.revision, row.superseded_at is None) for row in rows]


async def facts(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(StatisticsFact)) or 0


def test_it_is_handled_where_it_only_passes_too() -> None:
    assert slice_handler.transit


async def test_a_slice_is_kept_with_every_value(database: Database) -> None:
    await bring(database, slice_of("440300", CELLS), now=COMPUTED + timedelta(hours=1))

    async with database.transaction() as session:
        kept = (await session.scalars(select(StatisticsSlice))).one()
        assert (kept.dataset, kept.node, kept.period) == ("customer", "440300", "2026-11")
        assert (kept.revision, kept.row_count, kept.reason) == (1, 2, None)
        assert kept.control_totals["customers"] == 5
        assert kept.hash == slice_of("440300", CELLS).content.hash
        assert (kept.computed_at, kept.received_at) == (COMPUTED, COMPUTED + timedelta(hours=1))
        assert await facts(session) == 3


async def test_the_same_message_twice_is_kept_once(database: Database) -> None:
    for _ in range(2):
        await bring(database, slice_of("440300", CELLS))

    async with database.transaction() as session:
        assert await register(session) == [(1, True)]
        assert await facts(session) == 3


async def test_slices_of_other_cities_periods_and_datasets_stand_beside_one_another(
    database: Database,
) -> None:
    for slice_ in (
        slice_of("440300", CELLS),
        slice_of("440100", CELLS),
        slice_of("440300", CELLS, period="2026-10"),
        slice_of("440300", CELLS, period="2026-11-01"),
        slice_of("440300", {GOLD_MAN: {"bills": 1}}, dataset="revenue"),
    ):
        await bring(database, slice_)

    async with database.transaction() as session:
        assert await register(session) == [(1, True)] * 5
        cells = await session.scalar(select(func.count()).select_from(StatisticsCell))
        assert cells == 2  # the dictionary holds each combination once


async def test_a_newer_revision_replaces_the_older_which_stays(database: Database) -> None:
    await bring(database, slice_of("440300", CELLS))
    later = COMPUTED + timedelta(days=1)
    await bring(database, slice_of("440300", CORRECTED, revision=2), now=later)

    async with database.transaction() as session:
        assert await register(session) == [(1, False), (2, True)]
        first = (await session.scalars(select(StatisticsSlice).filter_by(revision=1))).one()
        second = (await session.scalars(select(StatisticsSlice).filter_by(revision=2))).one()
        assert first.superseded_at == second.received_at == later
        assert second.reason == "recomputed"
        assert await facts(session) == 5


async def test_an_older_revision_that_comes_late_is_history(database: Database) -> None:
    await bring(database, slice_of("440300", CORRECTED, revision=2))
    await bring(database, slice_of("440300", CELLS), now=COMPUTED + timedelta(days=1))

    async with database.transaction() as session:
        assert await register(session) == [(2, True), (1, False)]


async def test_a_city_without_customers_says_so(database: Database) -> None:
    await bring(database, slice_of("440300", {}))

    async with database.transaction() as session:
        kept = (await session.scalars(select(StatisticsSlice))).one()
        assert kept.row_count == 0
        assert kept.control_totals["customers"] == 0


async def test_the_same_revision_with_other_figures_is_refused_and_changes_nothing(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await bring(database, slice_of("440300", CELLS))

    with pytest.raises(
        MessageRefused, match=r"440300 for 2026-11, revision 1 is known with the hash"
    ):
        await bring(database, slice_of("440300", CORRECTED))

    assert "statistics revision conflict" in capsys.readouterr().out
    async with database.transaction() as session:
        assert await register(session) == [(1, True)]
        assert await facts(session) == 3


async def test_several_are_kept_at_once_as_each_by_itself(database: Database) -> None:
    said = [slice_of("440300", CELLS), slice_of("440100", CELLS), slice_of("440300", CELLS)]
    said += [slice_of("440300", CORRECTED, revision=2), slice_of("440100", {}, revision=2)]
    async with database.transaction() as session:
        await handle_slices(NO_CONTEXT, [delivery(session, each) for each in said])

    async with database.transaction() as session:
        assert await register(session) == [(1, False), (1, False), (2, True), (2, True)]
        assert await facts(session) == 3 + 3 + 2


async def test_of_several_none_is_kept_if_one_contradicts(database: Database) -> None:
    await bring(database, slice_of("440300", CELLS))
    said = [slice_of("440100", CELLS), slice_of("440300", CORRECTED)]

    async with database.transaction() as session:
        with pytest.raises(RevisionConflict):
            await handle_slices(NO_CONTEXT, [delivery(session, each) for each in said])

    async with database.transaction() as session:
        assert await register(session) == [(1, True)]
        assert await facts(session) == 3


async def test_the_greatest_sums_are_exact(database: Database) -> None:
    cells = {GOLD_MAN: {"customers": 2**62, "new_customers": 1 - 2**62}}
    cells[GOLD_WOMAN] = {"customers": 2**62 - 1, "new_customers": -(2**62)}
    await bring(database, slice_of("440300", cells))

    async with database.transaction() as session:
        found = await session.execute(
            select(StatisticsMargin).where(StatisticsMargin.member_id == 0)
        )
        margins = {(row.least, row.greatest): row.total for row in found.scalars()}
    assert margins == {(2**62 - 1, 2**62): 2**63 - 1, (-(2**62), 1 - 2**62): 1 - 2**63}


@pytest.mark.parametrize(
    ("why", "altered"),
    [
        ("440100 sent a slice of 440300", {"source": "440100"}),
        ("440000 sent a slice of 440300", {"source": "440000"}),
        ("440000 is no city", {"source": "440000", "node": "440000"}),
        ("is no division", {"source": "449900", "node": "449900"}),
        ("comes with the hash 0000", {"hash": "0" * 64}),
        ("comes with the row count 9", {"row_count": 9}),
        ("comes with the control totals", {"control_totals": {}}),
        ("'2026-13' is no period", {"period": "2026-13"}),
        ("malformed: revision", {"revision": 0}),
        ("malformed: revision", {"revision": "1"}),
        ("malformed: computed_at", {"computed_at": "2026-11-23T01:30:00"}),
        ("malformed: cells/0/1", {"cells": [[["a"], 1]]}),
        ("malformed: cells/0/1/0", {"cells": [[["a"], [0.5]]]}),
        ("malformed: cells/0/0: .*U.0000", {"cells": [[["\0"], [1]]]}),
        ("malformed: cells/0/0/0", {"cells": [[["a" * 101], [1]]]}),
        ("malformed: dataset", {"dataset": None}),
    ],
)
async def test_what_is_wrong_is_refused_with_the_reason_before_the_database_is_touched(
    why: str, altered: dict[str, Any]
) -> None:
    wrong = delivery(NO_SESSION, slice_of("440300", CELLS), **altered)

    with pytest.raises(MessageRefused, match=why):
        await handle_slice(NO_CONTEXT, wrong)


async def test_measures_of_a_newer_city_are_kept(database: Database) -> None:
    sent = slice_of("440300", {GOLD_MAN: {"customers": 2}})
    newer = Slice(
        type(sent.content).of(
            "weather",
            "440300",
            sent.content.period,
            dimensions=["season"],
            measures=["rain"],
            cells=[(["wet"], [7])],
        ),
        1,
        None,
        COMPUTED,
    )
    await bring(database, newer)

    async with database.transaction() as session:
        kept = (await session.scalars(select(StatisticsSlice))).one()
        assert (kept.dataset, kept.control_totals) == ("weather", {"rain": 7})
