"""``guanxi federation``: what is parked, what was mended, whether the evidence holds, keys, and revoking a node."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import structlog
import typer
from sqlalchemy import text

from shared import audit
from shared.capability import Action, NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    console,
    operator_name,
    run,
    show,
)
from shared.federation import enrolment, inbox, membership
from shared.federation.keys import PublicKey
from shared.federation.models import Lane
from shared.federation.notices import speakable
from shared.federation.parking import Parking
from shared.federation.reconciliation import RECONCILIATIONS, resume
from shared.federation.verification import Evidence, Verifier
from shared.kernel.listing import MAX_PAGE, Listing, PageRequest
from shared.node.audited import (
    DATABASE_TRUSTED,
    DISCARD_PROPOSED,
    DISCARDED,
    LANE_RESUMED,
    RETRIED,
    REVOKED,
)
from shared.node.identity import Standing, keys_known, standing
from shared.node.receiving import make_receiver
from shared.node.tiers import capabilities

log = structlog.get_logger("federation")

app = typer.Typer(
    name="federation",
    help="See and mend what is parked, what was restored; check the evidence; see keys, and revoke a node.",
    no_args_is_help=True,
)

Arrival = Annotated[
    int, typer.Argument(min=1, help="Number of the message, as `guanxi federation parked` shows.")
]
TABLE = "arrival,origin,type,lane,partition_key,received_at,reason,discard_proposed_by"


def _all_of(
    listing: Listing, filters: dict[str, object], *, fields: str | None = None
) -> Callable[[NodeContext], Awaitable[list[dict[str, Any]]]]:
    """Return what reads a whole list, page by page."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        pool = await context.database.pool()
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            request = PageRequest(limit=MAX_PAGE, cursor=cursor, fields=fields)
            page = orjson.loads(await listing.page(pool, request, filters))
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    return read


@app.command("parked")
def parked(
    node: NodeOption,
    origin: Annotated[str | None, typer.Option(help="Only those that this node posted.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only those of this type.")] = None,
    lane: Annotated[Lane | None, typer.Option(help="Only those that came on this lane.")] = None,
    json: JsonOption = False,
) -> None:
    """List the messages that are parked at the node, as they arrived, and why."""
    read = _all_of(
        inbox.PARKED,
        {"origin": origin, "type": type_, "lane": lane},
        fields=None if json else TABLE,
    )
    show(run(node, read), json=json, title=f"Parked at node {node}")


@app.command("retry")
def retry(arrival: Arrival, node: NodeOption, json: JsonOption = False) -> None:
    """Handle a parked message again, with those of its origin and partition key, in order."""

    async def act(parking: Parking) -> dict[str, Any]:
        _record(parking, RETRIED, arrival)
        return asdict(await parking.retry(arrival))

    show(_mend(node, act), json=json, title=f"Retried at node {node}")


@app.command("discard")
def discard(
    arrival: Arrival,
    node: NodeOption,
    reason: Annotated[str, typer.Option("--reason", help="Why it is given up.")],
    json: JsonOption = False,
) -> None:
    """Propose to give a parked message up; a second person approves."""
    by = operator_name()
    why = speakable(reason.strip())
    if not why:
        raise typer.BadParameter("Say why the message is given up.", param_hint="--reason")

    async def act(parking: Parking) -> dict[str, Any]:
        _record(parking, DISCARD_PROPOSED, arrival)
        row = await parking.propose_discard(arrival, why, by=by)
        return {
            "arrival": row.arrival,
            "state": row.state,
            "discard_reason": row.discard_reason,
            "discard_proposed_by": row.discard_proposed_by,
        }

    show(_mend(node, act), json=json, title=f"Proposed at node {node}")


@app.command("approve")
def approve(arrival: Arrival, node: NodeOption, json: JsonOption = False) -> None:
    """Give a message up as somebody else proposed, and handle again what waited behind it."""
    by = operator_name()

    async def act(parking: Parking) -> dict[str, Any]:
        _record(parking, DISCARDED, arrival)
        return asdict(await parking.approve_discard(arrival, by=by))

    show(_mend(node, act), json=json, title=f"Discarded at node {node}")


@app.command("reconciliations")
def reconciliations(node: NodeOption, json: JsonOption = False) -> None:
    """List what had to be mended on the node's lanes because a database was restored from a backup."""
    show(run(node, _all_of(RECONCILIATIONS, {})), json=json, title=f"Reconciled at node {node}")


@app.command("resume")
def resume_lane(
    peer: Annotated[str, typer.Argument(help="Division code of the peer.")],
    lane: Annotated[Lane, typer.Argument(help="The lane that is stopped.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Let a stopped lane go on from what its receiver has, once both ends were told so."""

    async def act(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            await resume(session, peer, lane)
            audit.record(
                session,
                audit.Actor.command(operator_name()),
                LANE_RESUMED,
                at=context.clock.now(),
                subject=("node", peer),
                detail={"lane": lane.value},
            )
        return {"peer": peer, "lane": lane.value, "resumed": True}

    show(run(node, act), json=json, title=f"Resumed at node {node}")


@app.command("trust-database")
def trust_database(
    node: NodeOption,
    reason: Annotated[
        str, typer.Option("--reason", help="Why nothing is lost by going on without the parent.")
    ],
    json: JsonOption = False,
) -> None:
    """Let a restored node work before it has learnt from its parent what it had done since the backup."""
    why = speakable(reason.strip())
    if not why:
        raise typer.BadParameter("Say why the database is trusted.", param_hint="--reason")

    async def act(context: NodeContext) -> dict[str, Any]:
        recalled = await context.high_water.reached()
        if not recalled:
            async with context.database.transaction() as session:
                audit.record(
                    session,
                    audit.Actor.command(operator_name()),
                    DATABASE_TRUSTED,
                    at=context.clock.now(),
                    subject=("node", node),
                )
            log.warning("an operator trusts the database", by=operator_name(), reason=why)
            await context.high_water.trust()
        return {"node": node, "was_recalling": not recalled}

    show(run(node, act), json=json, title=f"Database of node {node}")


@app.command("verify")
def verify(node: NodeOption, json: JsonOption = False) -> None:
    """Check every chain, signature and receipt that the node keeps; name the first break of each lane."""

    async def check(context: NodeContext) -> Evidence:
        async with context.database.transaction() as session:
            await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            return await Verifier(session, context.post.code, context.post.key.public).verify()

    found = run(node, check)
    counts = {
        "node": node,
        "messages": found.messages,
        "receipts": found.receipts,
        "heads": found.heads,
        "unverifiable_receipts": found.unverifiable_receipts,
    }
    breaks = [asdict(each) for each in found.breaks]
    if json:
        show({**counts, "breaks": breaks}, json=True)
    else:
        show(counts, json=False, title=f"Evidence of node {node}")
        if breaks:
            show(breaks, json=False, title="What does not hold")
    if breaks:
        raise CommandFailed(f"{len(breaks)} places of node {node}'s evidence do not hold.")


@app.command("revoke")
def revoke(
    code: Annotated[str, typer.Argument(help="Division code of the node.")],
    node: NodeOption,
    reason: Annotated[
        str, typer.Option("--reason", help="Why nothing it signs is to be believed.")
    ],
    json: JsonOption = False,
) -> None:
    """Refuse node CODE at once, here and, through HQ, everywhere; its parent and HQ can."""
    why = speakable(reason.strip())
    if not why:
        raise typer.BadParameter("Say why the node is revoked.", param_hint="--reason")

    async def act(context: NodeContext) -> dict[str, Any]:
        now = context.clock.now()
        async with context.database.transaction() as session:
            actor = audit.Actor.command(operator_name())
            audit.record(session, actor, REVOKED, at=now, subject=("node", code))
            entry = await membership.revoke(
                session, context.post, code, why, by=operator_name(), now=now
            )
            return {"node": code, "status": entry.status, "reason": entry.reason}

    show(run(node, act), json=json, title=f"Revoked at node {node}")


@app.command("keys")
def keys(node: NodeOption, json: JsonOption = False) -> None:
    """Show the keys of every node of the registry, where this node's rotation is, and what to be warned of."""

    async def read(context: NodeContext) -> tuple[Standing, list[dict[str, Any]]]:
        return await standing(context), await keys_known(context)

    found, known = run(node, read)
    rotation = found.rotation
    own = {
        "node": node,
        "fingerprint": found.fingerprint,
        "rotation": rotation.stage.value,
        "next_fingerprint": rotation.next_fingerprint,
        "until": rotation.until,
        "registry_as_of": found.registry_as_of,
        "registry_matches": found.registry_matches,
        "warnings": list(found.warnings),
    }
    if json:
        show({"identity": own, "keys": known}, json=True)
        return
    show({**own, "warnings": len(found.warnings)}, json=False, title="This node")
    columns = ("node", "status", "fingerprint", "expires_at", "accepted")
    show([{name: key[name] for name in columns} for key in known], json=False, title="Registry")
    for warning in found.warnings:
        console.print(warning, highlight=False, markup=False)


@app.command("requests")
def requests(node: NodeOption, json: JsonOption = False) -> None:
    """List the nodes that have asked to join and wait for a second person, with their fingerprints."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        async with context.database.transaction() as session:
            return [
                {
                    "child": request.child,
                    "fingerprint": PublicKey.from_text(request.public_key or "").fingerprint,
                    "requested_at": request.used_at,
                    "invited_by": request.created_by,
                    "move": request.moving,
                }
                for request in await enrolment.pending(session)
            ]

    show(run(node, read), json=json, title=f"Asking to join node {node}")


def _record(parking: Parking, action: Action, arrival: int) -> None:
    actor = audit.Actor.command(operator_name())
    audit.record(parking.session, actor, action, at=parking.now, subject=("message", arrival))


def _mend(node: str, act: Callable[[Parking], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    async def work(context: NodeContext) -> dict[str, Any]:
        receiver = make_receiver(context, capabilities(context.settings.tier))
        async with context.database.transaction() as session:
            return await act(Parking(session, receiver, context.post, context.clock.now()))

    return run(node, work)
