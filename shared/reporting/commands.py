"""``guanxi stats board``: what was expected and what came, in the terminal."""

from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, console, run, show, spoken
from shared.kernel.language import Text
from shared.reporting.service import board, last_over, region_seen
from shared.statistics.period import Period

app = typer.Typer(help="Statistics of a node and all below it.", no_args_is_help=True)

_COLUMNS = {
    "dataset": Text("dataset", "数据集"),
    "expected": Text("expected", "应报"),
    "received": Text("received", "已报"),
    "on_time": Text("on time", "按时"),
    "late": Text("late", "迟报"),
    "awaited": Text("awaited", "待报"),
    "missing": Text("missing", "缺报"),
    "final": Text("final", "已结账"),
    "restated": Text("restated", "重述"),
    "pending": Text("pending", "待审批"),
    "differing": Text("differing", "有差异"),
}
_RED, _YELLOW = ("missing", "differing"), ("late", "awaited", "pending")


@app.command("board")
def show_board(
    node: NodeOption,
    period: Annotated[
        str | None, typer.Option(help="A month or a day; the last month without it.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Division code of where; the node's own without it.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="End with exit code 1 if a slice is missing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show which slices of a period have come, and which are late, missing or wait for a decision."""

    async def read(context: NodeContext) -> dict[str, Any]:
        here, now = context.settings.code, context.clock.now()
        async with context.database.transaction() as session:
            found = await board(
                session,
                Period.parse(period) if period else last_over(now),
                here=here,
                region=region_seen(region, here) if region else here,
                now=now,
            )
        document: dict[str, Any] = orjson.loads(found.body)
        return document

    result = run(node, read)
    if json:
        show(result, json=True)
    else:
        console.print(_table(result))
        for each in result["slices"]:
            if each["state"] == "missing":
                console.print(
                    f"{each['node']} {each['dataset']}",
                    style="red",
                    highlight=False,
                    soft_wrap=True,
                )
    if check and any(row["missing"] for row in result["summary"]):
        raise typer.Exit(1)


def _table(result: dict[str, Any]) -> Table:
    table = Table(title=f"{result['period']} {result['region']} ({result['due_at']})")
    for name, heading in _COLUMNS.items():
        table.add_column(heading.speak(spoken()), justify="left" if name == "dataset" else "right")
    for row in result["summary"]:
        table.add_row(*(str(row[name]) for name in _COLUMNS), style=_colour(row))
    return table


def _colour(row: dict[str, Any]) -> str:
    if any(row[name] for name in _RED):
        return "red"
    return "yellow" if any(row[name] for name in _YELLOW) else "green"
