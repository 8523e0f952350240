"""``guanxi prospect``: searching for prospects, and reading them, from the command line."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.prospect import reading
from services.city_node.prospect.finding import Finder
from services.city_node.prospect.models import State
from services.city_node.prospect.schemas import Grouping
from services.city_node.prospect.trial import Draft, compare
from shared.capability import NodeContext
from shared.commandline import CommandFailed, JsonOption, NodeOption, operator_name, run, show
from shared.kernel.language import Language, preferred_language
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.kernel.tier import Tier
from shared.organisation.service import ensure_divisions

app = typer.Typer(help="Customers who may reach a level.", no_args_is_help=True)
_COLUMNS = "id,customer_number,state,level,target,score,signals,unit_code,next_due_on,found_at"


@app.command("find")
def find_prospects(
    node: NodeOption,
    customer: Annotated[
        UUID | None, typer.Option(help="Only this customer; shows how they stand.")
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only customers whose facts changed.")
    ] = False,
    dry_run: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Count what this draft, a JSON file, would find, and change nothing.",
        ),
    ] = None,
    publisher: Annotated[
        str | None,
        typer.Option(help="Who would publish the draft, such as 000000; this node without it."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Search a city for prospects, look at one customer, or try a draft of the policy."""

    async def act(context: NodeContext) -> Any:
        if context.settings.tier is not Tier.CITY:
            raise CommandFailed(f"Node {node} is no city: only cities have customers.")
        await ensure_divisions(context)  # the node may never have run
        finder = Finder(context, context.clock.now(), operator_name())
        if dry_run is not None:
            draft = Draft(orjson.loads(await asyncio.to_thread(dry_run.read_bytes)), publisher)
            async with context.database.transaction() as session:
                return await compare(session, finder, draft, context.settings.code)
        if customer is None:
            act = finder.search_changed if changed else finder.search_city
            return (await act()).as_json()
        async with context.database.transaction() as session:
            await finder.search_some(session, [customer])
        return await _stand(finder, customer)

    found = run(node, act)
    if customer is not None and not json:
        found = found and _in_words(found)
    show(found, json=json, title=f"Prospects at node {node}")


@app.command("list")
def list_prospects(
    node: NodeOption,
    state: Annotated[
        State | None, typer.Option(help="Only in this state; open without it.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Only of this unit and those below.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most to show.")] = 50,
    json: JsonOption = False,
) -> None:
    """List prospects, the best first."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, sort="-score", fields=_COLUMNS)
        chosen = {"state": state, "unit": unit, "open": True if state is None else None}
        body = await reading.prospects.page(await context.database.pool(), page, chosen)
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Prospects at node {node}")


@app.command("show")
def show_prospect(
    prospect: Annotated[UUID, typer.Argument(metavar="ID", help="Id of the prospect.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Show why somebody is a prospect, and the plan."""

    async def read(context: NodeContext) -> dict[str, Any]:
        found = await reading.one(await context.database.pool(), {"id": prospect})
        if found is None:
            raise CommandFailed(f"There is no prospect {prospect} at node {node}.")
        return found

    found = run(node, read)
    if not json:
        steps = "; ".join(f"{step['due_on']} {step['code']}: {step['outcome'] or '-'}" for step in found["steps"])  # fmt: skip
        names = ("customer_number", "state", "level", "target", "score", "policy", "version")
        shown = {name: found[name] for name in names}
        found = {**shown, "steps": steps or None, "explanation": found["explanation"][_language()]}
    show(found, json=json, title=f"Prospect {prospect}")


@app.command("statistics")
def count_prospects(
    node: NodeOption,
    by: Annotated[
        list[Grouping] | None, typer.Option(help="Count by this, or several; month without it.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Count what was found, qualified, converted and dropped."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        groups = list(dict.fromkeys(by or [Grouping.MONTH]))
        pool = await context.database.pool()
        return await reading.statistics(pool, groups, "", None, None)

    show(run(node, read), json=json, title=f"Prospects at node {node}")


async def _stand(finder: Finder, customer: UUID) -> dict[str, Any] | None:
    async with finder.context.database.transaction() as session:
        terms = await finder.terms(session)
    pool = await finder.context.database.pool()
    async with pool.acquire() as connection:
        window = terms.window(finder.on)
        return await reading.standing(connection, terms, window, customer)


def _language() -> str:
    return Language(preferred_language(None)).value


def _in_words(found: dict[str, Any]) -> dict[str, Any]:
    words = _language()
    return {
        "prospect": found["is_prospect"],
        "target": found["target"],
        "score": found["score"],
        "because": found["explanation"][words],
        "zh": found["explanation"]["zh"],
        "next": " ".join(text[words] for text in found["next"]) or None,
    }
