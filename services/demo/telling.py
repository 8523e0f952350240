"""How the demo prints what it tells."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich import box
from rich.table import Table

from shared.kernel.clock import BUSINESS_ZONE

KINDS = {
    "card-replacement": "Card replacement",
    "repair": "Repair",
    "payment": "Payment",
    "transfer": "Transfer",
}
"""What kinds of request are called."""


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


def yuan(fen: int) -> str:
    """Return an amount as it is written on a receipt."""
    return f"{fen / 100:,.2f}"


def headline(request: Mapping[str, Any]) -> str:
    """Say what became of a request, and why it was refused."""
    refusal = ""
    if request["refusal"]:
        text = request["refusal"]["text"]
        refusal = f": {text['en']} {text['zh']}"
    return f"{KINDS[request['kind']]} for {request['subject']}: {request['state']}{refusal}"


def trail(request: Mapping[str, Any], *, whole: bool) -> Iterator[str]:
    """Give the lines of a request's trail: the whole of it, or where the request came to another state."""
    for entry in request["trail"]:
        state = f" [{entry['state']}]" if entry["state"] else ""
        if not (whole or state):
            continue
        yield f"  {local(entry['at'])}  {entry['node']}  {entry['event']}{state}"
        if state:
            yield f"                        {entry['note']['en']} {entry['note']['zh']}"
