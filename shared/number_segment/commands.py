"""``guanxi number-segment``: a number's home, and the table, from the command line."""

from typing import Annotated, Any

import orjson
import typer

from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.number_segment import repository
from shared.number_segment.problems import NumberUnknown

app = typer.Typer(help="Number segments: the home city of a number.", no_args_is_help=True)


@app.command("find")
def find(
    msisdn: Annotated[str, typer.Argument(help="Mobile number.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Show to which city a number belongs, by the table as the node has it."""

    async def read(context: NodeContext) -> dict[str, Any]:
        async with context.database.reading() as session:
            version = await repository.version(session)
            home = await repository.home_of(session, msisdn)
        if home is None:
            raise NumberUnknown(msisdn=msisdn, version=version)
        return {"msisdn": msisdn, "home": home, "version": version}

    show(run(node, read), json=json)


@app.command("list")
def list_segments(
    node: NodeOption,
    home: Annotated[str | None, typer.Option(help="Only those of this city.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most segments to show, by prefix.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List number segments."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit)
        body = await repository.SEGMENTS.page(await context.database.pool(), page, {"home": home})
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Number segments at node {node}")
