"""``guanxi customer import``."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from services.city_node.customer_import.mapping import ImportMapping, parameters_of, read_mapping
from services.city_node.customer_import.reports import rehearsal, rejects_as_csv, report
from services.city_node.customer_import.schemas import ImportOut
from services.city_node.customer_import.service import Importer, load_file
from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, operator_name, progress, run, sentences, show
from shared.organisation.service import ensure_divisions, path_of_division

app = typer.Typer(help="Customers of a city.", no_args_is_help=True)
"""The commands about customers."""


@app.callback()
def _customers() -> None:
    """Work on the customers of a city."""


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(help="CSV file with a header.", exists=True, dir_okay=False, readable=True),
    ],
    node: NodeOption,
    mapping: Annotated[
        Path,
        typer.Option(
            "--mapping",
            "-m",
            help="TOML file that says how columns become customers.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Value for a {parameter} of the mapping; may be repeated.",
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects", help="Write the rejected rows and their reasons to this CSV file."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Load nothing: only report what would happen.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Load a CSV file of customers, in one transaction; the same file twice changes nothing."""
    with sentences():
        read = read_mapping(mapping.read_text("utf-8"), parameters_of(parameter or []))
    answer = run(node, lambda context: _load(context, file, read, rejects, dry_run=dry_run))
    shown: dict[str, Any] = answer.model_dump(mode="json", exclude={"rejects"}) | {
        "dry_run": dry_run
    }
    if json:
        shown["rejects"] = [reject.model_dump() for reject in answer.rejects]
    show(
        shown,
        json=json,
        title=f"Import of {file.name}" + (" (dry run: nothing was loaded)" if dry_run else ""),
    )
    if answer.rejects and not json:
        show(
            [reject.model_dump() for reject in answer.rejects[:10]],
            json=False,
            title=f"First of {answer.rejected} rejected rows",
        )


async def _load(
    context: NodeContext, file: Path, mapping: ImportMapping, rejects: Path | None, *, dry_run: bool
) -> ImportOut:
    # The node may never have run: its units come with its first start.
    await ensure_divisions(context)
    code = context.settings.code
    importer = Importer(
        operator_name(),
        code,
        path_of_division(code),
        code,
        context.cipher,
        strict=context.settings.undeclared_attributes == "refuse",
    )
    with progress() as bar, file.open("rb") as opened:
        task = bar.add_task(
            f"Importing {file.name} (bytes)", total=os.fstat(opened.fileno()).st_size
        )
        async with context.database.transaction() as session, rehearsal(session, dry_run=dry_run):
            loaded = await load_file(
                session,
                importer,
                opened,
                name=file.name,
                mapping=mapping,
                now=context.clock.now(),
                on_progress=lambda _rows, done: bar.update(task, completed=done),
            )
            if rejects is not None:
                with rejects.open("w", encoding="utf-8", newline="") as report_file:
                    async for line in rejects_as_csv(session, loaded.id):
                        report_file.write(line)
            return await report(session, loaded)
