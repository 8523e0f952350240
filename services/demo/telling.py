"""How the demo prints what it tells."""

from datetime import datetime

from rich import box
from rich.table import Table

from shared.kernel.clock import BUSINESS_ZONE


def table_of(first: str, *numbers: str) -> Table:
    """Return a table of figures that fits a terminal of 80 columns."""
    made = Table(first, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in numbers:
        made.add_column(heading, justify="right", no_wrap=True)
    made.columns[0].no_wrap = True
    return made


def local(moment: str) -> str:
    """Return a moment as a clock in Beijing shows it."""
    return f"{datetime.fromisoformat(moment).astimezone(BUSINESS_ZONE):%H:%M:%S.%f}"[:-3]
