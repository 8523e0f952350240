"""Whole columns of numbers in the binary form of ``COPY``."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shared.kernel.copy_columns import as_numeric, copy_columns
from shared.kernel.database import Database
from tests.examples import examples

_WHOLE = {bits: st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32, 64)}
ROWS = st.lists(st.tuples(*_WHOLE.values(), _WHOLE[64]), max_size=20)


def array(values: list[Any], type_: Any) -> Any:
    return np.array(values, type_)


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(rows=ROWS)
async def test_what_is_copied_arrives_as_it_was(
    database: Database, rows: list[tuple[int, ...]]
) -> None:
    small, middle, large, wide = map(list, zip(*rows, strict=True)) if rows else [[]] * 4
    async with database.transaction() as session:
        await session.execute(
            text(
                """CREATE TEMPORARY TABLE kept (small smallint, middle integer, large bigint, wide numeric)
                ON COMMIT DROP"""
            )
        )
        columns = {
            "wide": as_numeric(array(wide, np.int64)),
            "small": array(small, np.int16),
            "middle": array(middle, np.int32),
            "large": array(large, np.int64),
        }
        await copy_columns(session, "kept", columns)
        found = (await session.execute(text("SELECT * FROM kept"))).all()
        written = (await session.execute(text("SELECT wide::text FROM kept"))).all()
    assert [tuple(row) for row in found] == rows
    assert [tuple(row) for row in written] == [(str(row[3]),) for row in rows]


async def test_it_is_undone_with_its_transaction(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await copy_columns(session, "statistics_volume", {"volume": array([1, 2], np.int16)})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction() as session:
        assert (await session.execute(text("SELECT volume FROM statistics_volume"))).all() == []
