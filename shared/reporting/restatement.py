"""Deciding restatements: what a city says after the close of a month counts when its province or HQ approves.

The city asks by sending the revision, by itself when late data came or because somebody there counted anew and said
why. Whoever approves it is the second person. A decision is a statement (:mod:`~shared.reporting.statement`): the same
revision comes into force in the city, its province and HQ.
"""

import orjson
import structlog

from shared.kernel.database import driver_connection
from shared.kernel.language import Text
from shared.kernel.settings import HQ_CODE
from shared.organisation.division import cities_of
from shared.reporting import sharing
from shared.reporting.access import RESTATEMENT_APPROVED, RESTATEMENT_REJECTED, Desk
from shared.reporting.problems import NotAbove, RestatementDecided, RestatementNotFound
from shared.reporting.repository import restatements
from shared.reporting.statement import Said
from shared.statistics.standing import MONTH_LENGTH

log = structlog.get_logger("reporting")

STATES = {
    "approved": Text("approved", "已批准"),
    "rejected": Text("rejected", "已驳回"),
    "superseded": Text("superseded", "已被更新的版本取代"),
}
"""What becomes of restatements."""


async def read(desk: Desk, slice_id: int, scope: str) -> bytes:
    """Return a restatement as JSON.

    Raises:
        RestatementNotFound: if there is none of that number among the cities of the scope (404).
    """
    connection = await driver_connection(desk.session)
    within = [city.code for city in cities_of(scope)]
    listing = await restatements(desk.session, desk.here, desk.now)
    found = await listing.one(connection, {"within": within, "id": slice_id})
    if found is None:
        raise RestatementNotFound(id=slice_id)
    return found


async def decide(
    desk: Desk, slice_id: int, scope: str, *, approved: bool, reason: str | None
) -> bytes:
    """Approve or reject a restatement; HQ may also decide anew what a province has decided.

    Raises:
        NotAbove: if this node is the city itself (403).
        RestatementNotFound: if there is none (404).
        RestatementDecided: if it was decided, or a newer one has taken its place (409).
    """
    await sharing.take_turn(desk.session)
    found = orjson.loads(await read(desk, slice_id, scope))
    if desk.here == found["node"]:
        raise NotAbove(here=desk.here)
    overrules = desk.here == HQ_CODE and found["decided_at_node"] not in {None, HQ_CODE}
    if found["state"] != "pending" and not overrules:
        raise RestatementDecided(state=STATES[found["state"]])
    said = Said(
        kind="approved" if approved else "rejected",
        publisher=desk.here,
        node=found["node"],
        month=found["period"][:MONTH_LENGTH],
        number=found["closing"],
        period=found["period"],
        dataset=found["dataset"],
        revision=found["revision"],
        hash=found["hash"],
        reason=reason,
        said_at=desk.now,
        said_by=desk.name,
    )
    await sharing.publish(desk.session, desk.post, [said], now=desk.now)
    desk.record(
        RESTATEMENT_APPROVED if approved else RESTATEMENT_REJECTED,
        "restatement",
        f"{said.dataset}/{said.node}/{said.period}/{said.revision}",
        reason=reason,
    )
    log.info(
        "restatement decided",
        decision=said.kind,
        node=said.node,
        period=said.period,
        dataset=said.dataset,
        revision=said.revision,
    )
    return await read(desk, slice_id, scope)
