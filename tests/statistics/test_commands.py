"""Figures in the terminal: as tables, as drawings, as files."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from shared.commandline import show
from shared.node.command import app
from shared.statistics.plotting import bar, line
from tests.conftest import TestNode
from tests.statistics.registered_cities import keep
from tests.statistics.slices_by_hand import GOLD_MAN, STANDARD_MAN, slice_of

Guanxi = Callable[..., Awaitable[Any]]


@pytest.fixture
async def guanxi(hq: TestNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guanxi:
    await keep(
        hq,
        *(
            slice_of(
                city,
                {GOLD_MAN: {"customers": count}, STANDARD_MAN: {"customers": 2 * count}},
                period=period,
            )
            for period, more in (("2026-09", 0), ("2026-10", 5))
            for city, count in (("440300", 10 + more), ("110100", 4), ("310100", 1 + more))
        ),
    )
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_NODE", "000000")
    monkeypatch.setenv("GUANXI_DATABASE_URL", hq.database.url)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("COLUMNS", "160")

    async def run(*arguments: str, code: int = 0) -> Any:
        words = ["stats", "query", *arguments]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 and "--json" in arguments else result.stdout

    return run


async def test_a_table_has_the_top_rows_what_is_compared_and_what_it_is_made_of(
    guanxi: Guanxi,
) -> None:
    asked = ("customers", "--by", "region", "--period", "2026-10")
    shown = await guanxi(*asked, "--top", "1", "--compare", "previous", "--share", "customers")
    found = await guanxi(*asked, "--top", "1", "--compare", "previous", "--json")

    (first,) = [row for row in shown.splitlines() if "440000" in row]
    assert [word for word in first.split() if word[0].isdigit()] == [
        *("2026-10", "440000", "45", "15", "50", "60"),
    ]
    (others,) = [row for row in shown.splitlines() if "Others" in row]
    assert [word for word in others.split() if word[0].isdigit()][2:] == ["30", "15", "100", "40"]
    assert "customer 2026-10: 3 of 4 cities" in shown
    assert "missing 440100" in shown
    assert found["rows"][1]["others"] == 2


async def test_mistakes_are_sentences(guanxi: Guanxi, tmp_path: Path) -> None:
    """A file that cannot be written is one, a moment without a place in UTC, and no word becomes a picture."""

    async def told(*arguments: str) -> str:
        words = ["stats", "query", "customers", "--period", "2026-10", *arguments]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.output
        return result.stderr

    assert "No such file" in await told("--output", str(tmp_path / "none" / "figures.csv"))
    assert "too long ago" in await told("--as-known-at", "0001-01-01")
    assert "query:top: use one of" in await told("--top", "0")


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "[/b] [red]x :top:"}], json=False)

    assert "[/b] [red]x :top:" in capsys.readouterr().out


async def test_what_goes_across_is_printed_across(guanxi: Guanxi) -> None:
    shown = await guanxi(
        "customers", "--by", "region,level", "--period", "2026-10", "--pivot", "level"
    )

    (first,) = [row for row in shown.splitlines() if "440000" in row]
    assert "Standard" in shown
    assert [word for word in first.split() if word.isdigit()] == ["440000", "15", "30"]


async def test_drawings_are_bars_and_over_time_lines(guanxi: Guanxi) -> None:
    bars = await guanxi("customers", "--by", "region", "--period", "2026-10", "--plot")
    lines = await guanxi(
        *("customers", "--by", "region,period", "--from", "2026-09", "--to", "2026-10", "--plot")
    )

    lengths = {row.split()[0]: row.count("█") for row in bars.splitlines() if "█" in row}
    assert lengths == {"Guangdong": 40, "Shanghai": 16, "Beijing": 10}
    assert "Customers in the network (customers)" in bars
    assert "▁█" in next(row for row in lines.splitlines() if row.startswith("Guangdong"))
    assert "▅▅" in next(row for row in lines.splitlines() if row.startswith("Beijing"))
    assert "2026-09 – 2026-10" in lines


def test_a_drawing_says_what_is_not_known_or_not_above_zero() -> None:
    assert line([1, None, 3, 2]) == "▁·█▅"
    assert line([None, None]) == "··"
    assert [bar(value, 8, 1) for value in (8, 4, 0.1, 0, -3, None)] == ["█", "▌", "▏", "", "", ""]
    assert bar(5, 0) == ""


async def test_figures_are_written_to_files(guanxi: Guanxi, tmp_path: Path) -> None:
    asked = ("customers", "--by", "region", "--period", "2026-10", "--output")
    as_csv, as_parquet = tmp_path / "figures.csv", tmp_path / "figures.data"

    told = await guanxi(*asked, str(as_csv), "--bom", "--json")
    await guanxi(*asked, str(as_parquet), "--format", "parquet")
    await guanxi(*asked, str(tmp_path / "figures"), code=2)
    await guanxi("customers", "--format", "csv", code=2)

    assert told == {"file": str(as_csv), "format": "csv", "rows": 3}
    rows = list(csv.DictReader(io.StringIO(as_csv.read_bytes().decode("utf-8-sig"), newline="")))
    assert [row["customers"] for row in rows] == ["12", "18", "45"]
    table = pyarrow.parquet.read_table(as_parquet).to_pylist()
    assert [row["customers"] for row in table] == [12, 18, 45]
