"""``guanxi level``: reviews of levels from the command line."""

from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.level.review import lines, reviews
from shared.capability import NodeContext
from shared.commandline import JsonOption, NodeOption, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest

app = typer.Typer(help="Levels of customers.", no_args_is_help=True)
review_app = typer.Typer(help="Reviews of levels.", no_args_is_help=True)
app.add_typer(review_app, name="review")
_COLUMNS = (
    "id,unit_code,state,as_of,policy,line_count,applied_count,skipped_count,created_by,approved_by"
)
Limit = Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most to show.")]


@review_app.command("list")
def list_reviews(node: NodeOption, limit: Limit = 50, json: JsonOption = False) -> None:
    """List reviews of levels, the latest first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, sort="-id", fields=_COLUMNS)
        body = await reviews.page(await context.database.pool(), page, {})
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Reviews of levels at node {node}")


@review_app.command("show")
def show_review(
    review: Annotated[UUID, typer.Argument(metavar="ID", help="Id of the review.")],
    node: NodeOption,
    limit: Limit = 50,
    json: JsonOption = False,
) -> None:
    """List who is on a review, from what to what level, and who was left out."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit)
        body = await lines.page(await context.database.pool(), page, {"review": review})
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Review {review}")
