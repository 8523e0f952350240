"""``guanxi customer subject-export``."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from services.city_node.customer.service import Desk
from services.city_node.subject_request.exporting import export
from services.city_node.subject_request.service import note_export
from shared.access import Principal
from shared.capability import NodeContext, Role
from shared.commandline import JsonOption, NodeOption, operator_name, run, sentences, show

app = typer.Typer(help="Customers of a city.", no_args_is_help=True)

_NOBODY = UUID(int=0)
_EVERY_UNIT = ""


@app.callback()
def _customers() -> None:
    """Work on the customers of a city."""


@app.command("subject-export")
def export_subject(
    request_id: Annotated[
        UUID, typer.Argument(metavar="REQUEST", help="Id of the person's request for access.")
    ],
    node: NodeOption,
    to: Annotated[
        Path, typer.Option("--to", help="File to write; it must not exist.", dir_okay=False)
    ],
    json: JsonOption = False,
) -> None:
    """Write everything that is held about a person to a JSON file, for a request whose identity was checked."""
    with sentences():
        # Made first: nothing is noted as given out that cannot be written; and only its owner may read it.
        to.touch(mode=0o600, exist_ok=False)
    size = run(node, lambda context: _export(context, request_id, to))
    show({"request": str(request_id), "file": str(to), "bytes": size}, json=json)


async def _export(context: NodeContext, request_id: UUID, to: Path) -> int:
    operator = Principal(
        _NOBODY,
        operator_name(),
        Role.OPERATOR,
        context.settings.code,
        _EVERY_UNIT,
        frozenset(),
        _NOBODY,
    )
    now, size = context.clock.now(), 0
    with to.open("wb") as file:
        async with context.database.transaction() as session:
            desk = Desk(session, operator, now, context.cipher, context.settings.code)
            request = await note_export(desk, request_id)
        async for chunk in export(
            context.database.url, context.cipher, request.id, request.customer_id, at=now
        ):
            size += file.write(chunk)
    return size
