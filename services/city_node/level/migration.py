"""How levels moved: counted from ``level_migration``, which a trigger on the customers' history fills."""

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.level.schemas import MigrationOut, MigrationsOut

_COUNT = """
    SELECT CAST(date_trunc('month', m.at AT TIME ZONE 'Asia/Shanghai') AS date) AS month, m.from_level, m.to_level,
           count(*) AS customers
    FROM level_migration m JOIN organisation_unit u ON u.code = m.unit_code
    WHERE starts_with(u.path, :scope)
      AND (CAST(:since AS date) IS NULL OR m.at >= CAST(:since AS timestamp) AT TIME ZONE 'Asia/Shanghai')
      AND (CAST(:before AS date) IS NULL OR m.at < CAST(:before AS timestamp) AT TIME ZONE 'Asia/Shanghai')
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""


async def count(
    session: AsyncSession, unit_path: str, since: date | None, before: date | None
) -> MigrationsOut:
    """Count moves by month."""
    values = {"scope": unit_path, "since": since, "before": before}
    rows = (await session.execute(text(_COUNT), values)).mappings()
    return MigrationsOut(items=[MigrationOut.model_validate(dict(row)) for row in rows])
