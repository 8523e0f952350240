"""A city is cut off when a day's figures are due: the nation's table and the board say so, until the link is mended."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import httpx

from services.demo.cable import Cable
from services.demo.correction import DATASET, Figures, figures_of, roll_up
from services.demo.figures import await_slices, say_provenance
from services.demo.nodes import BEHIND_CABLE
from services.demo.rest import ANSWER_SECONDS, read
from services.demo.stage import Stage
from services.demo.telling import table_of
from shared.commandline import CommandFailed
from shared.kernel.clock import SystemClock, business_day
from shared.kernel.settings import HQ_CODE

TABLE = ("customers", "key_customers", "key_customer_share")
DAYS_AGO = 2
"""What a day's figures are due at, noon of the next one, is over two days later at whatever hour."""
PAUSE_SECONDS = 0.1

Board = Mapping[str, Any]
"""As HQ answers it."""


@dataclass(frozen=True, slots=True)
class Lacked:
    """What HQ said of a day while a city was cut off, and then.

    Attributes:
        cut: the nation's figures without the city.
        board_cut: what was missing then.
        mended: the figures with it.
        board_mended: what had come then.
    """

    cut: Figures
    board_cut: Board
    mended: Figures
    board_mended: Board

    def facts(self) -> dict[str, Any]:
        """Return what a program wants to know of it."""
        return {
            "period": self.board_cut["period"],
            "cut": _told(self.cut, self.board_cut),
            "mended": _told(self.mended, self.board_mended),
        }


def _told(figures: Figures, board: Board) -> dict[str, Any]:
    (made_of,) = figures.provenance
    return {
        "included": made_of["included"],
        "expected": made_of["expected"],
        "missing": made_of["missing"],
        "board": _missing(board),
    }


def _missing(board: Board) -> list[str]:
    """Return the cities of which the board misses anything."""
    return sorted({each["node"] for each in board["slices"] if each["state"] == "missing"})


async def lack(stage: Stage, cable: Cable) -> Lacked:
    """Cut a city off, let all cities count a day that is over and due, look, mend the link, and look again.

    Raises:
        CommandFailed: if HQ says anything else than that this city is missing, and then that none is.
    """
    async with stage.client(HQ_CODE, "analyst") as hq:
        day = await untold_day(hq, stage.memory.founded, SystemClock().now())
        await cable.cut()
        try:
            made = await _counted(stage, day)
            behind = {(BEHIND_CABLE, DATASET): made.pop((BEHIND_CABLE, DATASET))}
            await await_slices(hq, day, made, lambda _: None)
            board_cut = await _board(hq, day, [BEHIND_CABLE])
            cut = await figures_of(hq, day, TABLE)
        finally:
            await cable.mend()
        await await_slices(hq, day, made | behind, lambda _: None)
        board_mended = await _board(hq, day, [])
        mended = await figures_of(hq, day, TABLE)
    lacked = Lacked(cut, board_cut, mended, board_mended)
    four, facts = len(stage.cities), lacked.facts()
    lacking = {"included": four - 1, "expected": four, "missing": [BEHIND_CABLE]}
    complete = {"included": four, "expected": four, "missing": []}
    if facts != {
        "period": day,
        "cut": lacking | {"board": [BEHIND_CABLE]},
        "mended": complete | {"board": []},
    }:
        raise CommandFailed(f"HQ did not notice which city was cut off: {facts}")
    return lacked


async def untold_day(hq: httpx.AsyncClient, founded: date, now: datetime) -> str:
    """Return the last day that is due and of which no city has told anything: each run of the demo takes another.

    Raises:
        CommandFailed: if there is none any more.
    """
    day = business_day(now) - timedelta(days=DAYS_AGO)
    while day >= founded:
        if not (await read(hq, "/statistics/slices", period=str(day), limit=1))["items"]:
            return str(day)
        day -= timedelta(days=1)
    raise CommandFailed(
        f"The cities have told every day since {founded}. Begin anew: guanxi demo --fresh"
    )


async def _counted(stage: Stage, day: str) -> dict[tuple[str, str], int]:
    """Let every city count a day, cut off or not, and return the revisions that came of it."""

    async def count(code: str) -> int:
        async with stage.client(code, "supervisor") as supervisor:
            return await roll_up(supervisor, day)

    codes = [node.code for node in stage.cities]
    revisions = await asyncio.gather(*map(count, codes))
    return {(code, DATASET): revision for code, revision in zip(codes, revisions, strict=True)}


async def _board(hq: httpx.AsyncClient, day: str, missing: Sequence[str]) -> Board:
    """Return HQ's board of a day, once it misses these cities and no other.

    Raises:
        CommandFailed: if it does not come to that in time.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                board: Board = await read(hq, "/statistics/board", period=day)
                if _missing(board) == missing:
                    return board
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        raise CommandFailed(
            f"HQ's board of {day} misses {_missing(board)} after {ANSWER_SECONDS:.0f} s, and not {missing}."
        ) from None


def show(stage: Stage, lacked: Lacked) -> None:
    """Tell what the nation's table and the board said, cut and mended."""
    for figures, board in (
        (lacked.cut, lacked.board_cut),
        (lacked.mended, lacked.board_mended),
    ):
        table = table_of(f"{board['period']}", "in network", "key", "share")
        for row in figures.rows:
            values = row["values"]
            table.add_row(
                f"{row['region']['code']} {row['region']['name']}",
                f"{values['customers']:,.0f}",
                f"{values['key_customers']:,.0f}",
                f"{values['key_customer_share']:.1f}%",
            )
        stage.console.print(table)
        say_provenance(stage, figures.provenance)
        _show_board(stage, board)
    stage.conclude(
        f"Cut off, {BEHIND_CABLE} was missing in the table and on the board, and in no sum counted as zero; "
        "mended, its figures came by themselves, noted as late."
    )


def _show_board(stage: Stage, board: Board) -> None:
    stage.say(f"The board of {board['period']} (guanxi stats board), due {board['due_at']}:")
    table = table_of("dataset", "expected", "received", "late", "missing")
    for row in board["summary"]:
        table.add_row(
            *(str(row[name]) for name in ("dataset", "expected", "received", "late", "missing")),
            style="red" if row["missing"] else "yellow" if row["late"] else "green",
        )
    stage.console.print(table)
    for city in _missing(board):
        stage.console.print(
            f"{city}: {', '.join(each['dataset'] for each in board['slices'] if each['node'] == city)}",
            style="red",
            highlight=False,
            soft_wrap=True,
        )
