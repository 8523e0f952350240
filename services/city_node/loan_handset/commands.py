"""``guanxi loan-handset``: the stock of loan handsets, from the command line."""

import csv
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from pydantic import ValidationError

from services.city_node.loan_handset import repository, service
from services.city_node.loan_handset.models import HandsetState
from services.city_node.loan_handset.schemas import MOST_HANDSETS, LoanHandsetIn
from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, run, sentences, show
from shared.kernel.clock import business_day
from shared.kernel.listing import MAX_PAGE, PageRequest

app = typer.Typer(help="Loan handsets.", no_args_is_help=True)

EVERY_UNIT = ""
"""The path that every unit's path begins with: whoever runs a command is the node's operator."""

_COLUMNS = "id,imei,make,model,unit,state,request_id,due_on"


@app.command("load")
def load(
    file: Annotated[Path, typer.Argument(help="CSV file with the columns imei, make and model.")],
    node: NodeOption,
    unit: Annotated[str, typer.Option(help="Hall that has the handsets.")],
    json: JsonOption = False,
) -> None:
    """Load handsets into a hall's stock, all or none; loading the same ones again changes nothing."""
    with sentences():
        handsets = _from_file(file)

    async def act(context: NodeContext) -> dict[str, Any]:
        loaded = known = 0
        remaining = iter(handsets)
        async with context.database.transaction() as session:
            while chunk := list(islice(remaining, MOST_HANDSETS)):
                done = await service.load(
                    session, unit, chunk, unit_path=EVERY_UNIT, now=context.clock.now()
                )
                loaded += done.loaded
                known += done.known
        return {"unit": unit, "loaded": loaded, "known": known}

    show(run(node, act), json=json, title=f"Loan handsets loaded at node {node}")


@app.command("list")
def list_handsets(
    node: NodeOption,
    state: Annotated[HandsetState | None, typer.Option(help="Only this state.")] = None,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only those that should have come back by now.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most to show.")] = 50,
    json: JsonOption = False,
) -> None:
    """List the node's loan handsets, and what they are lent for."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        before: date | None = business_day(context.clock.now()) if overdue else None
        filters = {"unit_path": EVERY_UNIT, "state": state, "due_before": before}
        page = PageRequest(limit=limit, fields=_COLUMNS)
        body = await repository.STOCK.page(await context.database.pool(), page, filters)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Loan handsets at node {node}")


def _from_file(file: Path) -> list[LoanHandsetIn]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"imei", "make", "model"} <= set(rows.fieldnames or ()):
            raise CommandFailed(
                f"{file} must begin with a line that names the columns imei, make and model."
            )
        return list(_handsets(file, rows))


def _handsets(file: Path, rows: "csv.DictReader[str]") -> Iterator[LoanHandsetIn]:
    for row in rows:
        try:
            yield LoanHandsetIn.model_validate(
                {name: row[name] for name in ("imei", "make", "model")}
            )
        except ValidationError as error:
            wrong = "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
            raise CommandFailed(
                f"{file}, line {rows.line_num}: {wrong}. Nothing was loaded."
            ) from None
