"""Totals: HQ adds up itself what its provinces say that their cities come to."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository as federation
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.post import PostOffice
from shared.kernel.database import driver_connection
from shared.kernel.tier import Tier
from shared.organisation.division import division
from shared.reporting import difference
from shared.reporting.comparing import cities_below
from shared.reporting.holding import CHECKED_MONTHS, cities_held, months_of
from shared.reporting.models import Fault
from shared.reporting.resending import tell
from shared.statistics.period import Period
from shared.statistics.sketches import DIGEST
from shared.statistics.standing import CURRENT

log = structlog.get_logger("reporting")

TOTALS = "guanxi.reporting.totals.v1"


async def tell_totals(session: AsyncSession, post: PostOffice, *, now: datetime) -> None:
    """At a province: tell HQ what its cities' months come to, as this node adds them up."""
    parent = await federation.parent(session)
    if parent is None or division(post.code).tier is not Tier.PROVINCE:
        return
    nodes = await cities_held(session, post.code)
    for month in months_of(now)[:CHECKED_MONTHS]:
        made_of = await _made_of(session, nodes, month)
        if made_of:
            datasets = {
                dataset: {
                    "made_of": pairs,
                    "totals": await totals(session, dataset, month, pairs),
                }
                for dataset, pairs in made_of.items()
            }
            data = {"period": month, "datasets": datasets}
            await tell(session, post, TOTALS, parent.code, data, now=now, key="totals")


async def compare_totals(delivery: Delivery) -> None:
    """At HQ: add up what a province says that it is made of, and compare.

    Raises:
        MessageRefused: if it speaks of cities that are not below it, or is malformed.
    """
    session, data = delivery.session, delivery.message.data
    source, period = delivery.message.source, str(data.get("period"))
    try:
        told = {
            str(dataset): ([(str(n), int(r)) for n, r in each["made_of"]], dict(each["totals"]))
            for dataset, each in data["datasets"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise MessageRefused(f"{source} does not tell totals in their form.") from None
    await cities_below(delivery, sorted({node for pairs, _ in told.values() for node, _ in pairs}))
    differing = []
    for dataset, (pairs, theirs) in told.items():
        ours = await totals(session, dataset, period, pairs)
        if ours is not None and ours != theirs:
            differing.append((source, period, dataset, 0))
            log.error("a province's totals differ", province=source, period=period, dataset=dataset)
    now = delivery.now
    await difference.note_agreed(session, [source], [period], [Fault.TOTAL], peer=source, now=now)
    await difference.note(session, differing, Fault.TOTAL, peer=source, now=now)


async def _made_of(
    session: AsyncSession, nodes: Sequence[str], period: str
) -> dict[str, list[tuple[str, int]]]:
    rows = await session.execute(
        text(
            f"SELECT dataset, node, revision FROM statistics_slice s WHERE {CURRENT}"  # noqa: S608 - a constant
            " AND period = :period AND node = ANY(:nodes) ORDER BY dataset, node"
        ),
        {"period": period, "nodes": list(nodes)},
    )
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for dataset, node, revision in rows:
        found[dataset].append((node, revision))
    return found


_TOTALS = f"""
WITH made_of AS (
    SELECT s.id FROM statistics_slice s
    JOIN unnest($3::text[], $4::int[]) AS given (node, revision) USING (node, revision)
    WHERE s.dataset = $1 AND s.period = $2 AND s.rolled_off_at IS NULL
)
SELECT (SELECT count(*) FROM made_of), (
    SELECT coalesce(json_object_agg(code, total), '{{}}')::text FROM (
        SELECT m.code, sum(f.value) AS total
        FROM (
            SELECT f.measure_id, f.value FROM statistics_fact f
            JOIN made_of o ON o.id = f.slice_id AND f.volume = $5::smallint
            UNION ALL
            SELECT f.measure_id, {DIGEST.format("f.image")} FROM statistics_sketch f
            JOIN made_of o ON o.id = f.part_id AND f.volume = $5::smallint
        ) f JOIN statistics_measure m ON m.id = f.measure_id
        GROUP BY m.code) t)
"""  # noqa: S608 - a constant


async def totals(
    session: AsyncSession, dataset: str, period: str, made_of: Sequence[tuple[str, int]]
) -> dict[str, int] | None:
    """Add up the facts of slices, by measure; nothing if one of them is not here, or no longer."""
    connection = await driver_connection(session)
    nodes, revisions = [node for node, _ in made_of], [revision for _, revision in made_of]
    count, found = await connection.fetchrow(
        _TOTALS, dataset, period, nodes, revisions, Period.parse(period).volume
    )
    if count < len(made_of):
        return None
    added: dict[str, int] = orjson.loads(found)
    return added
