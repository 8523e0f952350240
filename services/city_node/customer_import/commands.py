"""``guanxi customer import`` and ``guanxi customer undo-import``."""

import os
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from services.city_node.customer_import import uploads
from services.city_node.customer_import.jobs import desk_of
from services.city_node.customer_import.mapping import ImportMapping, parameters_of, read_mapping
from services.city_node.customer_import.problems import FileUnusable, ImportDisturbed
from services.city_node.customer_import.reports import rejects_as_csv, report
from services.city_node.customer_import.schemas import ImportOut
from services.city_node.customer_import.service import Importer, begin, load
from services.city_node.customer_import.undoing import undo
from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    errors,
    operator_name,
    progress,
    run,
    sentences,
    show,
)
from shared.organisation.service import ensure_divisions, path_of_division

app = typer.Typer(help="Customers of a city.", no_args_is_help=True)
"""The commands about customers."""


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV file with a header, also as .gz or .zst, or a Parquet file.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    node: NodeOption,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping",
            "-m",
            help="TOML file that says how columns become records.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ] = None,
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
            "--rejects",
            help="Write the rejected rows, with their reasons, to this CSV file: it can be corrected and imported again.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Load nothing: only report what would happen.")
    ] = False,
    allow_erased: Annotated[
        bool,
        typer.Option("--allow-erased", help="Make customers anew even if they were erased here."),
    ] = False,
    resume: Annotated[
        UUID | None,
        typer.Option(
            "--resume", metavar="ID", help="Go on with an import that did not come to its end."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Load a file portion by portion; the same file twice changes nothing."""
    with sentences():
        if (mapping is None) == (resume is None):
            raise CommandFailed("Give either --mapping, for a new import, or --resume ID.")
        read = None
        if mapping is not None:
            read = read_mapping(mapping.read_text("utf-8"), parameters_of(parameter or []))

    async def work(context: NodeContext) -> ImportOut:
        return await _load(
            context, file, read or resume, rejects, dry_run=dry_run, allow_erased=allow_erased
        )

    answer = run(node, work)
    title = f"Import of {file.name}" + (" (dry run: nothing was loaded)" if answer.dry_run else "")
    _show(answer, title, json=json)


@app.command("undo-import")
def undo_import(
    import_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="The import, as its report has it.")
    ],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Take back what an import has made and changed; what others changed since is kept and listed."""

    async def work(context: NodeContext) -> ImportOut:
        row = await undo(desk_of(context), import_id, operator_name())
        uploads.discard(context.settings, row.id)
        async with context.database.transaction() as session:
            return await report(session, row)

    _show(run(node, work), "Undo of an import", json=json)


def _show(answer: ImportOut, title: str, *, json: bool) -> None:
    lists = {"rejects", "samples", "kept_records"}
    if json:
        show(answer.model_dump(mode="json"), json=True)
        return
    show(answer.model_dump(mode="json", exclude=lists, exclude_none=True), json=False, title=title)
    if answer.rejects:
        first = [reject.model_dump() for reject in answer.rejects[:10]]
        show(first, json=False, title=f"First of {answer.rejected} rejected rows")
    if answer.samples:
        show(answer.samples[:10], json=False, title="First customers that would change")
    if answer.kept_records:
        kept = [one.model_dump(mode="json") for one in answer.kept_records[:10]]
        show(kept, json=False, title=f"First of {answer.kept} records that were kept")


async def _load(
    context: NodeContext,
    file: Path,
    what: ImportMapping | UUID | None,
    rejects: Path | None,
    *,
    dry_run: bool,
    allow_erased: bool,
) -> ImportOut:
    # The node may never have run: its units come with its first start.
    await ensure_divisions(context)
    code = context.settings.code
    with progress() as bar, file.open("rb") as opened:
        task = bar.add_task(
            f"Importing {file.name} (bytes)", total=os.fstat(opened.fileno()).st_size
        )
        if isinstance(what, ImportMapping):
            importer = Importer(operator_name(), code, path_of_division(code), code, context.cipher)
            async with context.database.transaction() as session:
                begun = await begin(
                    session,
                    importer,
                    opened,
                    name=file.name,
                    mapping=what,
                    now=context.clock.now(),
                    dry_run=dry_run,
                    allow_erased=allow_erased,
                )
            import_id = begun.id
        else:
            assert what is not None  # noqa: S101 - the command has seen to it
            import_id = what
        try:
            loaded = await load(
                desk_of(context),
                import_id,
                opened,
                lambda done: bar.update(task, completed=done),
            )
        except (FileUnusable, ImportDisturbed):
            errors.print(f"Import {import_id} stopped there.", highlight=False)
            raise
    uploads.discard(context.settings, import_id)
    async with context.database.transaction() as session:
        if rejects is not None:
            with rejects.open("wb") as report_file:
                async for piece in rejects_as_csv(session, loaded, context.cipher):
                    report_file.write(piece)
        return await report(session, loaded)
