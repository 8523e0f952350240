"""``guanxi customer export``."""

import sys
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from uuid import UUID

import typer

from services.city_node.customer.privacy import SEALED, SHOWING
from services.city_node.export.columns import check_columns
from services.city_node.export.files import PlainCsv, Taking, open_file
from services.city_node.export.models import Format
from services.city_node.export.service import Source, write_rows
from services.city_node.query.bulk_read import Act, record_bulk_read_now
from services.city_node.query.selection import Selection, read_condition
from services.city_node.segment.service import Segments
from shared import audit
from shared.capability import NodeContext, Requester
from shared.commandline import (
    JsonOption,
    NodeOption,
    operator_name,
    progress,
    run,
    show,
)
from shared.kernel.clock import business_day

app = typer.Typer(help="Customers of a city.", no_args_is_help=True)
EVERY_UNIT = ""


@app.command("export")
def export(
    output: Annotated[
        str, typer.Argument(metavar="FILE", help="File to write; - for standard output (CSV).")
    ],
    node: NodeOption,
    where: Annotated[
        str | None, typer.Option(help="Condition in its text form; everybody without it.")
    ] = None,
    segment: Annotated[
        UUID | None, typer.Option(help="Members of this segment, instead of a condition.")
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="By the file's ending without it.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns, separated by commas; the profile without it.")
    ] = None,
    bom: Annotated[
        bool,
        typer.Option("--bom", help="Begin a CSV file with the mark by which Excel knows UTF-8."),
    ] = False,
    clear_contacts: Annotated[
        bool, typer.Option("--clear-contacts", help="Contact media in clear instead of masked.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the customers that meet a condition, or the members of a segment, to a file."""
    if where is not None and segment is not None:
        raise typer.BadParameter("give --where or --segment, not both")
    ending = Path(output).suffix.removeprefix(".")
    format_ = form or (Format(ending) if ending in set(Format) else Format.CSV)
    if output == "-" and format_ is not Format.CSV:
        raise typer.BadParameter("only CSV goes to standard output")

    if Path(output).is_dir():
        raise typer.BadParameter(f"{output} is a directory: name a file")

    async def write(context: NodeContext) -> int:
        names = check_columns(columns.split(",") if columns else None)
        selection = await _selection(context, where, segment)
        sight = SHOWING if clear_contacts else SHOWING - SEALED
        source = Source(selection, names, format_, sight)
        if output == "-":
            stdout: BinaryIO = sys.stdout.buffer
            return await _write(context, source, PlainCsv(stdout, source.layout, with_bom=bom))
        path = Path(output)
        part = path.with_name(f"{path.name}.part")
        try:
            part.touch(mode=0o600)
            async with open_file(part, format_, source.layout, with_bom=bom) as taking:
                rows = await _write(context, source, taking)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return rows

    rows = run(node, write)
    if output != "-":
        show({"file": output, "format": format_.value, "rows": rows}, json=json, title="Export")


async def _selection(context: NodeContext, where: str | None, segment: UUID | None) -> Selection:
    now = context.clock.now()
    if segment is not None:
        operator = Requester(operator_name(), None, context.settings.code, None)
        async with context.database.transaction() as session:
            segments = Segments(session, operator, EVERY_UNIT, context.cipher, now)
            return await segments.members(segment)
    condition = None if where is None else read_condition(where, permissions=None)
    return Selection(condition, (EVERY_UNIT,), business_day(now))


async def _write(context: NodeContext, source: Source, taking: Taking) -> int:
    with progress() as bar:
        task: Any = bar.add_task("Exporting customers")

        async def tell(done: int, total: int, _unit: str) -> None:
            bar.update(task, completed=done, total=total)

        rows = await write_rows(context, source, taking, tell)
    actor = audit.Actor.command(operator_name())
    now = context.clock.now()
    await record_bulk_read_now(context.database, actor, Act.EXPORT, "command", rows, at=now)
    return rows
