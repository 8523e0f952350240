"""``guanxi card``: the stock of blank cards, from the command line."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from services.city_node.card_replacement import stock
from services.city_node.card_replacement.schemas import MOST_CARDS, CardIn
from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, progress, run, sentences, show

app = typer.Typer(help="Blank SIM cards.", no_args_is_help=True)

Cards = list[tuple[str, str]]

EVERY_UNIT = ""
"""The path that every unit's path begins with: whoever runs a command is the node's operator."""


@app.callback()
def _group() -> None:
    """Keep ``load`` a command of a group, though it is the only one."""


@app.command("load")
def load(
    node: NodeOption,
    unit: Annotated[str, typer.Option(help="Hall that has the cards.")],
    file: Annotated[
        Path | None, typer.Argument(help="CSV file with the columns iccid and imsi.")
    ] = None,
    iccid: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Instead of a file: ICCID of the first card of a box with consecutive numbers.",
        ),
    ] = None,
    imsi: Annotated[str | None, typer.Option(help="IMSI of the first card of the box.")] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Cards in the box.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Load blank cards into a hall's stock, all or none; loading the same cards again changes nothing."""
    with sentences():
        cards = _from_file(file) if file else _from_box(iccid, imsi, count)

    async def act(context: NodeContext) -> dict[str, Any]:
        loaded = known = 0
        async with context.database.transaction() as session:
            with progress() as bar:
                task = bar.add_task("cards", total=len(cards))
                for chunk in _chunks(cards):
                    done = await stock.load(
                        session, unit, chunk, unit_path=EVERY_UNIT, now=context.clock.now()
                    )
                    loaded += done.loaded
                    known += done.known
                    bar.advance(task, len(chunk))
        return {"unit": unit, "loaded": loaded, "known": known}

    show(run(node, act), json=json, title=f"Cards loaded at node {node}")


def _from_file(file: Path) -> Cards:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"iccid", "imsi"} <= set(rows.fieldnames or ()):
            raise CommandFailed(
                f"{file} must begin with a line that names the columns iccid and imsi."
            )
        return [_card(row["iccid"], row["imsi"], f"{file}, line {rows.line_num}") for row in rows]


def _from_box(iccid: str | None, imsi: str | None, count: int | None) -> Cards:
    if not (iccid and imsi and count):
        raise CommandFailed("Name a CSV file, or give --from, --imsi and --count together.")
    _card(iccid, imsi, "--from, --imsi")
    return [
        _card(_after(iccid, place), _after(imsi, place), f"card {place + 1} of the box")
        for place in range(count)
    ]


def _after(number: str, by: int) -> str:
    return str(int(number) + by).zfill(len(number))


def _card(iccid: str | None, imsi: str | None, where: str) -> tuple[str, str]:
    try:
        card = CardIn.model_validate({"iccid": iccid, "imsi": imsi})
    except ValidationError as error:
        wrong = ", ".join(str(item["loc"][0]) for item in error.errors())
        raise CommandFailed(
            f"{where}: {wrong} is wrong. An ICCID has 19 or 20 digits, an IMSI 15. Nothing was loaded."
        ) from None
    return card.iccid, card.imsi


def _chunks(cards: Cards) -> Iterator[Cards]:
    remaining = iter(cards)
    while chunk := list(islice(remaining, MOST_CARDS)):
        yield chunk
