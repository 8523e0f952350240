"""Dry runs: how many prospects a draft of the policy would find, by unit and target, beside those of the one in force.

Both are counted on the facts of this moment, by the statement of a search, and nothing is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.evaluation import repository
from services.city_node.evaluation.service import UNIT, Progress, unwatched, watched
from services.city_node.prospect.finding import Finder
from services.city_node.prospect.rule import Terms
from services.city_node.prospect.statement import found
from shared.kernel.database import driver_connection
from shared.policy.declaration import PolicyInForce
from shared.policy.kinds.prospect import PROSPECT, ProspectPolicy
from shared.policy.service import draft_in_force

_COUNT = """
    SELECT coalesce(b.unit_code, a.unit_code) AS unit_code, coalesce(b.target, a.target) AS target,
           count(a.customer_id) AS prospects, count(b.customer_id) AS would_be,
           count(b.customer_id) FILTER (WHERE a.customer_id IS NULL) AS gained,
           count(a.customer_id) FILTER (WHERE b.customer_id IS NULL) AS lost
    FROM (SELECT * FROM ({}) f WHERE is_prospect) a FULL JOIN (SELECT * FROM ({}) f WHERE is_prospect) b
        ON b.customer_id = a.customer_id
    JOIN organisation_unit u ON u.code = coalesce(b.unit_code, a.unit_code)
    WHERE starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = $1))
    GROUP BY 1, 2 ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be published, and who would: the node itself without anybody."""

    document: Mapping[str, Any]
    publisher: str | None = None


async def would_hold(
    session: AsyncSession, finder: Finder, draft: Draft
) -> PolicyInForce[ProspectPolicy]:
    """Return the policy that would be in force.

    Raises:
        PolicyInvalid, PolicyOutsideBounds: if the draft could not be published (422).
    """
    return await draft_in_force(
        session,
        PROSPECT,
        draft=dict(draft.document),
        on=finder.on,
        node=finder.context.settings.code,
        publisher=draft.publisher,
    )


async def compare(
    session: AsyncSession,
    finder: Finder,
    draft: Draft,
    unit_code: str,
    progress: Progress = unwatched,
) -> list[dict[str, Any]]:
    """Count the prospects of a unit and those below it, by the policy in force and by the draft."""
    connection = await driver_connection(session)
    await repository.prepare(connection)
    total = await repository.count_customers(connection)
    await progress(0, total, UNIT)
    present = await finder.terms(session)
    drafted = await would_hold(session, finder, draft)
    becomes: Terms = replace(present, prospect=drafted.document, reference=drafted.reference)
    window = present.window(finder.on)
    query = _COUNT.format(found(present, window), found(becomes, window))
    rows = await watched(connection.fetch(query, unit_code), progress, total)
    return [dict(row) for row in rows]
