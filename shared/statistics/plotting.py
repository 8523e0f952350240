"""Figures drawn in the terminal: bars for rows that stand beside one another, lines for those that follow in time."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text as Rich

from shared.statistics.shaping import MARK
from shared.statistics.table import hidden_columns

Number = int | float
WIDTH = 40
_EIGHTHS = " ▏▎▍▌▋▊▉"
_STEPS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def bar(value: Number | None, greatest: Number, width: int = WIDTH) -> str:
    """Return a bar of a length that is to ``width`` as the value to the greatest; empty if it is not above zero."""
    if value is None or value <= 0 or greatest <= 0:
        return ""
    eighths = round(value / greatest * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")) or _EIGHTHS[1]


def line(values: Sequence[Number | None]) -> str:
    """Return a line of steps from the least value to the greatest, with a gap where none is known."""
    known = [value for value in values if value is not None]
    if not known:
        return _GAP * len(values)
    least, span = min(known), max(known) - min(known)

    def step(value: Number) -> str:
        return _STEPS[
            round((value - least) / span * (len(_STEPS) - 1)) if span else len(_STEPS) // 2
        ]

    return "".join(_GAP if value is None else step(value) for value in values)


def plot(document: dict[str, Any]) -> list[Table]:
    """Return a drawing for each indicator of an answer."""
    periods = list(dict.fromkeys(row["period"] for row in document["rows"]))
    draw = _bars if len(periods) < 2 else _lines  # noqa: PLR2004 - one period has no course
    return [draw(heading, document["rows"], periods) for heading in document["indicators"]]


def label(row: dict[str, Any]) -> str:
    """Return what a row is of, besides its period."""
    apart = [
        str(value)
        for name, value in row.items()
        if name not in {"period", "region", "values", "others", "withheld"} and value is not None
    ]
    return " ".join([row["region"]["name"], *apart])


def _bars(heading: dict[str, Any], rows: list[dict[str, Any]], _: Sequence[str]) -> Table:
    table = _table(heading, "")
    series = [cell for row in rows for cell in _cells(row, heading["code"])]
    greatest = max((value for _, value, _ in series if value is not None), default=0)
    for name, value, is_hidden in series:
        table.add_row(Rich(name), MARK if is_hidden else _shown(value), bar(value, greatest))
    return table


def _lines(heading: dict[str, Any], rows: list[dict[str, Any]], periods: Sequence[str]) -> Table:
    table = _table(heading, f"{periods[0]} – {periods[-1]}")
    courses: dict[str, dict[str, Number | None]] = {}
    hidden = set()
    for row in rows:
        for name, value, is_hidden in _cells(row, heading["code"]):
            courses.setdefault(name, {})[row["period"]] = value
            if is_hidden and row["period"] == periods[-1]:
                hidden.add(name)
    for name, course in courses.items():
        values = [course.get(period) for period in periods]
        table.add_row(Rich(name), MARK if name in hidden else _shown(values[-1]), line(values))
    return table


def _cells(row: dict[str, Any], code: str) -> list[tuple[str, Number | None, bool]]:
    """Return one value and whether it is withheld, or with what goes across each of its values."""
    name, value, hidden = label(row), row["values"][code], set(hidden_columns(row))
    if isinstance(value, dict):
        return [(f"{name} {at}", each, f"{code}.{at}" in hidden) for at, each in value.items()]
    return [(name, value, code in hidden)]


def _table(heading: dict[str, Any], course: str) -> Table:
    table = Table(title=f"{heading['name']} ({heading['unit']})", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column(course, no_wrap=True, style="cyan")
    return table


def _shown(value: Number | None) -> str:
    return "-" if value is None else f"{value:,}"
