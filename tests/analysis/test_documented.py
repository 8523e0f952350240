"""The examples of the documentation, run as they stand in the page."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.analysis.exporting import export_lake
from tests.conftest import TestNode
from tests.statistics.registered_cities import Headers, ask, keep, table
from tests.statistics.slices_by_hand import GOLD_MAN, GOLD_WOMAN, slice_of

PAGE = Path(__file__).parents[2] / "docs" / "analysis.md"
NAMES = {"110100": "Beijing", "440100": "Guangzhou", "440300": "Shenzhen"}


def examples(language: str) -> list[str]:
    """Return the page's blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def test_sql(hq: TestNode, reader: Headers, sql: asyncpg.Connection) -> None:
    question = {"period": "2026-11", "by": "region"}
    correction = slice_of("110100", {GOLD_WOMAN: {"customers": 6, "key_customers": 6}}, revision=2)
    by_province, ratio, revisions, known = examples("sql")
    hq.clock.advance(timedelta(minutes=1))  # after the moment that the last example names
    await keep(hq, correction)

    answer = await ask(hq, reader, indicator="key_customers", **question, region_level="province")
    names = {"110000": "北京市", "440000": "广东省"}
    shown = {row["province_zh"]: row["key_customers"] for row in await sql.fetch(by_province)}
    provinces = table(answer, "key_customers", "region")
    assert shown == {names[code]: value for code, value in provinces.items() if value}
    assert shown == {"北京市": 6}

    answer = await ask(hq, reader, indicator="arpu_fen", period="2026-11", by="level")
    shown = {row["level"]: float(row["arpu_fen"]) for row in await sql.fetch(ratio)}
    assert shown == pytest.approx(table(answer, "arpu_fen", "level"))

    listed = {row["name_en"]: row["revision"] for row in await sql.fetch(revisions)}
    assert listed == {"Beijing": 2, "Guangzhou": 1, "Shenzhen": 1}

    assert datetime(2026, 11, 23, 4, 0, tzinfo=UTC) < hq.clock.now()
    assert {row["city"]: row["customers"] for row in await sql.fetch(known)} == {
        "110100": 5,
        "440100": 7,
        "440300": 12,
    }


async def test_duckdb(hq: TestNode, reader: Headers) -> None:
    await export_lake(hq.context, now=hq.clock.now())
    (example,) = [each for each in examples("python") if "duckdb" in each]
    found = run(example, hq)["answer"]
    answer = await ask(
        hq,
        reader,
        indicator="customers,arpu_fen",
        period="2026-11",
        by="region",
        region_level="province",
    )
    expected = [
        (row["region"]["name"], row["values"]["customers"], row["values"]["arpu_fen"])
        for row in answer["rows"]
    ]
    assert [name for name, *_ in found] == ["Guangdong", "Beijing"]
    for row, wanted in zip(found, sorted(expected, key=lambda each: -each[1]), strict=True):
        assert row == pytest.approx(wanted)


async def test_pandas(hq: TestNode, reader: Headers) -> None:
    await keep(hq, slice_of("110100", {GOLD_MAN: {"customers": 7}}, period="2026-10"))
    await export_lake(hq.context, now=hq.clock.now())
    (example,) = [each for each in examples("python") if "pandas" in each]
    found = run(example, hq)
    answer = await ask(
        hq,
        reader,
        indicator="customers",
        by="period,level",
        **{"from": "2026-10", "to": "2026-11"},
    )
    expected = table(answer, "customers", "period", "level")
    shown = found["by_level"].stack().to_dict()
    assert {
        (str(day)[:7], level): value for (day, level), value in shown.items() if value
    } == expected
    answer = await ask(
        hq, reader, indicator="customers", period="2026-11", by="region", region_level="city"
    )
    cities = {NAMES[code]: value for code, value in table(answer, "customers", "region").items()}
    assert found["by_city"].to_dict() == cities


def run(example: str, node: TestNode) -> dict[str, Any]:
    """Run a program of the page, and return what it has found."""
    found: dict[str, Any] = {"LAKE": node.node.settings.directory / "lake"}
    exec(compile(example, str(PAGE), "exec"), found)  # noqa: S102 - the page's own
    return found


def test_there_is_an_example_of_each_tool() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(examples("sql")) == 4
    assert len(examples("python")) == 2
    assert "from pyspark.sql import SparkSession" in text
