"""Tables as the files that people's own tools open: what a column is, and what spreadsheets ask for.

A row is given as texts, as CSV has it, an empty one for no value; in a workbook each becomes what its column says.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

BOM = b"\xef\xbb\xbf"
"""The mark by which Excel knows UTF-8."""
ROWS_OF_A_SHEET = 1_048_576
"""What Excel opens, its header included; more go to further sheets."""
LARGEST_EXACT = 2**53
"""Beyond it a number of a spreadsheet is no longer exact, and is written as text."""

_BEGINS_FORMULA = re.compile(r"[=+\-@\t\n\r\uff1d\uff0b\uff0d\uff20]")


class Kind(StrEnum):
    """The type of a column, as a file keeps it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    INSTANT = "instant"


Layout = Mapping[str, Kind]
"""The columns of a file in their order, each with the type that it has for whoever it is made for."""


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe goes before what begins like one."""
    return f"'{text}" if _BEGINS_FORMULA.match(text) else text


def write_sheets(
    book: Any, columns: Layout, rows: Iterable[Sequence[str]], *, name: str | None = None
) -> None:
    """Write rows to a new sheet of an xlsxwriter workbook, and to further ones when that is full.

    Texts stay texts, whatever they begin with.

    Args:
        book: the workbook, in constant memory: a sheet is written before the next is begun.
        columns: the header, and what each column holds.
        rows: a text for each column.
        name: of the sheet; Excel's own without one.
    """
    kinds = list(columns.values())
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet, at, count = _new_sheet(book, columns, name), 1, 1
    for values in rows:
        if at >= ROWS_OF_A_SHEET:
            count += 1
            sheet, at = _new_sheet(book, columns, name and f"{name} {count}"), 1
        for column, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if not value:
                continue
            if kind is Kind.INTEGER and abs(int(value)) <= LARGEST_EXACT:
                sheet.write_number(at, column, int(value))
            elif kind is Kind.NUMBER:
                sheet.write_number(at, column, float(value))
            elif kind is Kind.DATE and value >= "1900-03-01":  # before, Excel counts wrongly
                sheet.write_datetime(at, column, date.fromisoformat(value), day)
            else:
                sheet.write_string(at, column, value)
        at += 1


def _new_sheet(book: Any, columns: Layout, name: str | None) -> Any:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    for at, title in enumerate(columns):
        sheet.write_string(0, at, title)
    return sheet
