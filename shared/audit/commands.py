"""``guanxi audit``: search the log, seal it, check it, drop what is old enough."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any

import asyncpg
import orjson
import typer

from shared.audit import repository, retention
from shared.audit.access import SEARCHED, VERIFIED
from shared.audit.head import Head
from shared.audit.recording import Actor, record_now
from shared.audit.repository import LOG
from shared.audit.schemas import VerificationOut
from shared.audit.sealing import seal
from shared.audit.verification import verify
from shared.capability import NodeContext
from shared.commandline import (
    JsonOption,
    NodeOption,
    fail,
    node_settings,
    operator_name,
    run,
    sentences,
    show,
)
from shared.kernel.clock import BUSINESS_ZONE, SystemClock
from shared.kernel.listing import PageRequest
from shared.startup import database_addresses, migrate

app = typer.Typer(help="Who did what, and who looked at whom.", no_args_is_help=True)

TABLE = "id,at,by,role,unit_code,action,subject_type,subject_id,fields,source"


@app.command("search")
def search(
    node: NodeOption,
    by: Annotated[str | None, typer.Option(help="Username of who did it.")] = None,
    subject: Annotated[str | None, typer.Option(help="Id of whom or what it was done to.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as customer.looked.")] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", help="First day or moment, in Beijing time."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--before", help="Day or moment after the last.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most records, the latest.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show the latest records that fit; the search is recorded too."""
    filters = {
        "by": by,
        "subject": subject,
        "action": action,
        "at_from": first and first.replace(tzinfo=BUSINESS_ZONE),
        "at_before": last and last.replace(tzinfo=BUSINESS_ZONE),
    }

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        asked = PageRequest(limit=limit, sort="-id", fields=None if json else TABLE)
        page = await repository.records.page(await context.database.pool(), asked, filters)
        await record_now(
            context.database,
            Actor.command(operator_name()),
            SEARCHED,
            at=context.clock.now(),
            subject=LOG,
            detail={name: value for name, value in filters.items() if value is not None},
        )
        items: list[dict[str, Any]] = orjson.loads(page)["items"]
        return items

    show(run(node, read), json=json, title=f"Audit log of node {node}")


@app.command("seal")
def seal_now(node: NodeOption, json: JsonOption = False) -> None:
    """Seal what is committed now; the running node does so by itself every few seconds."""

    async def act(context: NodeContext) -> dict[str, Any]:
        return {"node": node, "sealed": await seal(context, now=context.clock.now())}

    show(run(node, act), json=json, title="Sealed")


@app.command("verify")
def verify_log(
    node: NodeOption,
    first: Annotated[
        int, typer.Option("--from", min=1, help="Seal to begin with; earlier ones are believed.")
    ] = 1,
    head: Annotated[
        list[str] | None,
        typer.Option("--head", metavar="NUMBER:LINK", help="A seal noted elsewhere."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compute everything again, and name the first record or seal that does not fit: exit code 1 then."""

    async def act(context: NodeContext) -> VerificationOut:
        found = await verify(context, first=first, heads=[Head.parse(each) for each in head or []])
        await record_now(
            context.database,
            Actor.command(operator_name()),
            VERIFIED,
            at=context.clock.now(),
            subject=LOG,
            detail={"first": first, "intact": found.broken is None},
        )
        return VerificationOut.of(found)

    found = run(node, act)
    show(found.model_dump(mode="json"), json=json, title=f"Audit log of node {node}")
    if found.broken is not None:
        fail(found.broken.sentence)
    if found.rewritable and not json:
        typer.echo(
            f"The node's own database role could rewrite {', '.join(found.rewritable)}: give the tables another owner "
            "(setting `database_owner_url`).",
            err=True,
        )


@app.command("drop")
def drop(
    node: NodeOption,
    before: Annotated[
        datetime | None,
        typer.Option(help="Day in Beijing time; `audit_retention_days` ago without it."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Drop the records older than the retention, as the owner of the tables; their seals stay, and so the chain."""

    async def act() -> dict[str, Any]:
        settings = node_settings(node)
        keep = timedelta(days=settings.audit_retention_days)
        now = SystemClock().now()
        async with database_addresses(settings) as addresses:
            await migrate(addresses)
            owner = await asyncpg.connect(addresses.owner)
            try:
                through, records = await retention.drop(
                    owner,
                    before=before.replace(tzinfo=BUSINESS_ZONE) if before else now - keep,
                    keep=keep,
                    by=operator_name(),
                    now=now,
                )
            finally:
                await owner.close()
        return {"node": node, "through_seal": through, "records": records}

    with sentences():
        result = asyncio.run(act())
    show(result, json=json, title="Dropped")
