"""``guanxi offer``: the catalogue, grants, uses and costs, from the command line."""

import contextlib
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from pydantic import ValidationError

from services.city_node.interaction.models import Channel
from services.city_node.offer import catalogue, granting, using
from services.city_node.offer.counter import Counter
from services.city_node.offer.models import ReversalReason
from services.city_node.offer.reading import costs, grants, offers, uses
from services.city_node.offer.schemas import OfferCreate
from shared import audit
from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    operator_name,
    run,
    show,
)
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.listing import MAX_PAGE, Listing, PageRequest
from shared.kernel.tier import Tier
from shared.organisation.service import ensure_divisions

app = typer.Typer(help="Preferential offers of a city's customers.", no_args_is_help=True)

EVERY_UNIT = ""
"""The path that every unit's path begins with: whoever runs a command is the node's operator."""
_SHOWN = (
    *("code", "name_zh", "name_en", "cost_fen", "valid_from", "valid_until", "units", "levels"),
    *("condition_text", "exclusive_group", "conflicts_with"),
)
Limit = Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Most to show.")]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


@app.command("list")
def list_offers(node: NodeOption, limit: Limit = 100, json: JsonOption = False) -> None:
    """List the catalogue of a city."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, fields=",".join(_SHOWN))
        return _items(await offers.page(await context.database.pool(), page, {}))

    show(run(node, read), json=json, title=f"Offers at node {node}")


@app.command("create")
def create_offer(
    offer: Annotated[
        str, typer.Argument(metavar="JSON", help="The offer, as `POST /offers` takes it.")
    ],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Add an offer to the catalogue; it is for the whole city unless it names units."""

    async def create(context: NodeContext) -> dict[str, Any]:
        body = _body(offer)
        async with _counter(context) as counter:
            await catalogue.add(counter, body)
            return await _one(counter, offers, {"code": body.code})

    show(run(node, create), json=json, title="Offer")


@app.command("grant")
def grant_offer(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="Customer number or id.")],
    offer: Annotated[str, typer.Argument(metavar="OFFER", help="Code of the offer.")],
    node: NodeOption,
    uses_wanted: Annotated[int, typer.Option("--uses", min=1, max=1000, help="How many.")] = 1,
    json: JsonOption = False,
) -> None:
    """Grant an offer to a customer; above the limits it is proposed, and somebody approves it at a desk."""

    async def grant(context: NodeContext) -> dict[str, Any]:
        async with _counter(context) as counter:
            connection = await driver_connection(counter.session)
            found: UUID | None = await connection.fetchval(
                "SELECT id FROM customer WHERE customer_number = $1 OR id::text = $1", customer
            )
            if found is None:
                raise CommandFailed(f"Node {node} has no customer {customer}.")
            made = await granting.grant(counter, found, offer, uses_wanted)
            return await _one(counter, grants, {"id": made})

    show(run(node, grant), json=json, title="Grant")


@app.command("use")
def use_grant(
    grant_id: Annotated[UUID, typer.Argument(metavar="GRANT", help="Id of the grant.")],
    node: NodeOption,
    channel: Annotated[Channel, typer.Option(help="By which way.")] = Channel.CALL_CENTRE,
    json: JsonOption = False,
) -> None:
    """Note one use of a grant."""

    async def use(context: NodeContext) -> dict[str, Any]:
        async with _counter(context) as counter:
            made = await using.use(counter, grant_id, channel)
            return await _one(counter, uses, {"id": made})

    show(run(node, use), json=json, title="Use")


@app.command("reverse")
def reverse_use(
    use_id: Annotated[UUID, typer.Argument(metavar="USE", help="Id of the use.")],
    node: NodeOption,
    reason: Annotated[ReversalReason, typer.Option(help="Why.")] = ReversalReason.MISTAKE,
    json: JsonOption = False,
) -> None:
    """Give a use back, once."""

    async def reverse(context: NodeContext) -> dict[str, Any]:
        async with _counter(context) as counter:
            made = await using.reverse(counter, use_id, reason)
            return await _one(counter, uses, {"id": made})

    show(run(node, reverse), json=json, title="Reversal")


@app.command("report")
def report_costs(
    node: NodeOption,
    since: Annotated[Day | None, typer.Option(help="First day; the year's without it.")] = None,
    until: Annotated[Day | None, typer.Option(help="The day after the last.")] = None,
    limit: Limit = MAX_PAGE,
    json: JsonOption = False,
) -> None:
    """Show what offers cost, by month, unit and offer."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        _require_city(context)
        first = business_day(context.clock.now()).replace(month=1, day=1)
        filters = {
            "since": since.date() if since else first,
            "until": until.date() if until else date.max,
        }
        page = PageRequest(limit=limit)
        return _items(await costs.page(await context.database.pool(), page, filters))

    show(run(node, read), json=json, title=f"Cost of offers at {node}")


@contextlib.asynccontextmanager
async def _counter(context: NodeContext) -> AsyncIterator[Counter]:
    _require_city(context)
    await ensure_divisions(context)  # the node may never have run
    actor, now = audit.Actor.command(operator_name()), context.clock.now()
    async with context.database.transaction() as session:
        yield Counter(session, actor, EVERY_UNIT, now, context.cipher, context.settings.code)


async def _one(counter: Counter, listing: Listing, filters: dict[str, Any]) -> dict[str, Any]:
    found = await listing.one(await driver_connection(counter.session), filters)
    assert found is not None  # noqa: S101 - written in this transaction
    shown: dict[str, Any] = orjson.loads(found)
    return shown


def _body(written: str) -> OfferCreate:
    try:
        return OfferCreate.model_validate_json(written)
    except ValidationError as error:
        wrong = "; ".join(
            f"/{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        raise CommandFailed(f"This is no offer: {wrong}. Nothing was added.") from None


def _items(body: bytes) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = orjson.loads(body)["items"]
    return items


def _require_city(context: NodeContext) -> None:
    if context.settings.tier is not Tier.CITY:
        raise CommandFailed(f"Node {context.settings.code} is no city: only cities have customers.")
