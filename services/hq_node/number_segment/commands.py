"""``guanxi number-segment import``: the table from a file, at HQ."""

import csv
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError

from services.hq_node.number_segment import repository, service
from services.hq_node.number_segment.models import NumberSegmentChange
from services.hq_node.number_segment.problems import ChangeNotFound
from services.hq_node.number_segment.schemas import SegmentIn
from shared.audit import Actor
from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    operator_name,
    run,
    sentences,
    show,
)
from shared.kernel.settings import HQ_CODE

app = typer.Typer(help="Number segments: the home city of a number.", no_args_is_help=True)


@app.command("import")
def import_file(
    node: NodeOption,
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns prefix and home; no home withdraws.")
    ],
    note: Annotated[str, typer.Option(help="What the change is about.")],
    json: JsonOption = False,
) -> None:
    """At HQ: change number segments from a file; what conflicts waits for another person."""
    with sentences():
        segments = _read(file)

    async def act(context: NodeContext) -> dict[str, Any]:
        if context.settings.code != HQ_CODE:
            raise CommandFailed(f"Number segments are changed at HQ: --node {HQ_CODE}.")
        async with context.database.transaction() as session:
            made = await service.change(
                context, session, _operator(), segments, note, now=context.clock.now()
            )
            return _shown(made)

    show(run(node, act), json=json, title="Change of number segments")


@app.command("publish")
def publish(
    change_id: Annotated[UUID, typer.Argument(metavar="CHANGE", help="Id of the change.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """At HQ: publish somebody else's change that conflicts, as it is now."""

    async def act(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            waiting = await repository.lock(session, change_id)
            if waiting is None:
                raise ChangeNotFound(id=change_id)
            made = await service.publish(
                context,
                session,
                _operator(),
                change_id,
                version=waiting.version,
                now=context.clock.now(),
            )
            return _shown(made)

    show(run(node, act), json=json, title="Change of number segments")


def _operator() -> service.Person:
    return service.Person(operator_name(), None, Actor.command(operator_name()))


def _shown(made: NumberSegmentChange) -> dict[str, Any]:
    return {
        "id": str(made.id),
        "state": made.state,
        "segments": len(made.segments),
        "conflict_count": made.conflict_count,
        "conflicts": made.conflicts,
        "first_edition": made.first_edition,
        "last_edition": made.last_edition,
    }


def _read(file: Path) -> list[tuple[str, str | None]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"prefix", "home"} <= set(rows.fieldnames or ()):
            raise CommandFailed(
                f"{file} must begin with a line that names the columns prefix and home."
            )
        return [_segment(row, f"{file}, line {rows.line_num}") for row in rows]


def _segment(row: dict[str, Any], where: str) -> tuple[str, str | None]:
    try:
        segment = SegmentIn.model_validate({"prefix": row["prefix"], "home": row["home"] or None})
    except ValidationError as error:
        wrong = ", ".join(str(item["loc"][0]) for item in error.errors())
        raise CommandFailed(
            f"{where}: {wrong} is wrong. A prefix has 3 to 11 digits and begins with 1, a home six. Nothing was changed."
        ) from None
    return segment.prefix, segment.home
