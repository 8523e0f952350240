"""The table of industries, filled from the release: a statistic speaks of the same codes."""

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert

from services.city_node.group.models import Industry
from shared.capability import NodeContext
from shared.statistics.industry import industries


async def ensure_industries(context: NodeContext) -> None:
    """Put the industries of this release into their table, where statistics and queries join them."""
    written = insert(Industry)
    named = ("section", "name_zh", "name_en")
    async with context.database.transaction() as session:
        await session.execute(
            written.on_conflict_do_update(
                index_elements=["code"],
                set_={name: written.excluded[name] for name in named},
                where=or_(*(getattr(Industry, name) != written.excluded[name] for name in named)),
            ),
            list(industries()),
        )
