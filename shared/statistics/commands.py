"""``guanxi stats``: figures in the terminal."""

import os
from dataclasses import asdict
from datetime import MINYEAR, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    console,
    run,
    sentences,
    show,
)
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.language import Language, preferred_language
from shared.statistics.aggregate import note_all_changed, put_together
from shared.statistics.cost import Limits
from shared.statistics.forms import Form
from shared.statistics.plotting import plot as drawings
from shared.statistics.privacy import terms_in_force
from shared.statistics.question import Question, Words, read_question
from shared.statistics.service import answer
from shared.statistics.shaping import MARK, WITHHELD
from shared.statistics.table import flattened, hidden_columns, write
from shared.statistics.verification import differences

app = typer.Typer(help="Statistics of a node and all below it.", no_args_is_help=True)


@app.command("query")
def query(
    indicators: Annotated[
        list[str],
        typer.Argument(
            metavar="INDICATOR...", help="Codes of indicators, such as customers arpu_fen."
        ),
    ],
    node: NodeOption,
    period: Annotated[
        str | None, typer.Option(help="A month or a day; the present month without it.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First month or day of a range.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last month or day of a range.")] = None,
    by: Annotated[
        str,
        typer.Option(
            help="What has rows of its own, between commas: period, region, or a dimension."
        ),
    ] = "period",
    region: Annotated[
        str | None, typer.Option(help="Division code of where; the node's own without it.")
    ] = None,
    region_level: Annotated[str | None, typer.Option(help="nation, province or city.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="DIMENSION=VALUE", help="Count only these; may be repeated."),
    ] = None,
    as_known_at: Annotated[
        datetime | None,
        typer.Option(help="Answer as the node would have answered then, in Beijing time."),
    ] = None,
    compare: Annotated[
        str, typer.Option(help="previous, year or both: change and growth of each indicator.")
    ] = "",
    share: Annotated[
        str, typer.Option(help="Those of the indicators whose share of the total is shown.")
    ] = "",
    top: Annotated[
        int | None, typer.Option(help="So many rows of each period, and all others in one.")
    ] = None,
    top_by: Annotated[
        str | None, typer.Option(help="The indicator that says which; the first without it.")
    ] = None,
    pivot: Annotated[
        str | None, typer.Option(help="What of --by goes across: period, region or a dimension.")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw bars, or lines over time.")] = False,
    form: Annotated[
        Form | None, typer.Option("--format", help="Of the file; by its ending without it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write rather than to print a table.")
    ] = None,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin CSV with the mark by which Excel knows UTF-8.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show figures as a table or a drawing, or write them to a file, and say which cities they are made of."""
    language = preferred_language(os.environ.get("LANG", "").replace("_", "-").partition(".")[0])
    file_form = _form(form, output) if output else Form.JSON
    if form is not None and output is None:
        raise typer.BadParameter("--format needs --output FILE")

    async def ask(context: NodeContext) -> tuple[Question, bytes]:
        here = context.settings.code
        if as_known_at and as_known_at.year == MINYEAR:
            raise CommandFailed(f"--as-known-at {as_known_at} is too long ago for a calendar.")
        words = Words(
            indicators=indicators,
            period=period,
            first=first,
            last=last,
            by=_split(by),
            region=region,
            region_level=region_level,
            filters=_filters(where or []),
            as_known_at=as_known_at.replace(tzinfo=BUSINESS_ZONE) if as_known_at else None,
            compare=_split(compare),
            share=_split(share),
            top=top,
            top_by=top_by,
            pivot=pivot,
        )
        now = context.clock.now()
        async with context.database.transaction() as session:
            terms = await terms_in_force(session, here, now)
            question = read_question(words, terms.catalogue, scope=here, now=now)
            found = await answer(
                session,
                question,
                terms,
                here=here,
                language=language,
                limits=Limits.of(context.settings),
            )
        return question, found.body or b"{}"

    question, body = run(node, ask)
    result: dict[str, Any] = orjson.loads(body)
    if output is not None:
        with sentences(), output.open("wb") as file:
            write(flattened(question, result), file_form, file, with_bom=bom)
        wrote = {"file": str(output), "format": file_form.value, "rows": len(result["rows"])}
        show(wrote, json=json, title="Statistics")
        return
    if json:
        show(result, json=True)
        return
    if plot:
        for drawing in drawings(result):
            console.print(drawing)
    else:
        show(
            [line for row in result["rows"] for line in _lines(row, result)],
            json=False,
            title="Statistics",
        )
    for each in result["provenance"]:
        console.print(made_of(each, language), style="dim", highlight=False, soft_wrap=True)


@app.command("aggregate")
def aggregate(
    node: NodeOption,
    everything: Annotated[
        bool, typer.Option("--all", help="All of it anew, and not only what has changed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Put the figures of provinces and of the nation together now, as the node does every few minutes."""

    async def work(context: NodeContext) -> dict[str, Any]:
        settings = context.settings
        if everything:
            async with context.database.transaction() as session:
                await note_all_changed(session)
        made = await put_together(
            context.database,
            settings.tier,
            now=context.clock.now(),
            connections=settings.statistics_connections,
        )
        return {"aggregates": made}

    show(run(node, work), json=json, title="Aggregates")


@app.command("verify")
def verify(node: NodeOption, json: JsonOption = False) -> None:
    """Count margins and aggregates anew from the facts, and name what differs; exit code 1 if anything does."""

    async def compare(context: NodeContext) -> list[dict[str, Any]]:
        found = await differences(context.database, context.settings.tier)
        return [asdict(each) for each in found]

    found = run(node, compare)
    if json or found:
        show(found, json=json, title="Differences")
    if found:
        raise typer.Exit(1)


def made_of(provenance: dict[str, Any], language: Language) -> str:
    """Say in one line what figures are made of: "3 of 4 cities, as of ..., missing 110100"."""
    as_of = provenance["as_of"]
    when = (
        datetime.fromisoformat(as_of).astimezone(BUSINESS_ZONE).strftime("%Y-%m-%d %H:%M")
        if as_of
        else "-"
    )
    missing = ", ".join(provenance["missing"])
    hidden = provenance.get(WITHHELD)
    always = ", ".join(hidden["always"]) if hidden else ""
    head = f"{provenance['dataset']} {provenance['period']}: "
    counts = provenance["included"], provenance["expected"]
    if language is Language.CHINESE:
        return (
            head
            + f"{counts[1]} 个地市中的 {counts[0]} 个，截至 {when}"
            + (f"，缺 {missing}" if missing else "")
            + (f"，隐匿 {hidden['cells']} 个单元格（{hidden['policy']}）" if hidden else "")
            + (f"，{always} 一律隐匿" if always else "")
        )
    return (
        head
        + f"{counts[0]} of {counts[1]} cities, as of {when}"
        + (f", missing {missing}" if missing else "")
        + (f", {hidden['cells']} cells withheld ({hidden['policy']})" if hidden else "")
        + (f", {always} withheld everywhere" if always else "")
    )


def _lines(row: dict[str, Any], result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row as it is printed; one for each indicator if something goes across."""
    left_out = {"period", "region", "values", WITHHELD}
    apart = {name: value for name, value in row.items() if name not in left_out}
    hidden = set(hidden_columns(row))
    place = " ".join(part for part in (row["region"]["code"], row["region"]["name"]) if part)
    keys = {"period": row["period"], "region": place, **apart}
    named = {x["code"]: f"{x['name']} ({x['unit']})" for x in result["indicators"]}
    if "columns" not in result:
        figures = {
            name: MARK if code in hidden else row["values"][code] for code, name in named.items()
        }
        return [keys | figures]
    columns = {each["code"]: each["name"] for each in result["columns"]}
    return [
        keys
        | {"": name}
        | {
            columns[at]: MARK if f"{code}.{at}" in hidden else value
            for at, value in row["values"][code].items()
        }
        for code, name in named.items()
    ]


def _form(form: Form | None, output: Path) -> Form:
    ending = output.suffix.removeprefix(".")
    if form is None and ending not in set(Form):
        raise typer.BadParameter(f"{output} has no ending of {', '.join(Form)}: give --format")
    return form or Form(ending)


def _split(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _filters(where: list[str]) -> dict[str, list[str]]:
    filters: dict[str, list[str]] = {}
    for condition in where:
        dimension, equals, value = condition.partition("=")
        if not equals:
            raise CommandFailed(f"--where {condition} names no value: write it as level=gold.")
        filters.setdefault(dimension, []).extend(value.split(","))
    return filters
